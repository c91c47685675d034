import TaskRunning

extension TaskContext {
    /// What happens to a run from outside.
    public enum Event: Sendable, Hashable {
        /// A client does not want the result any more.
        case cancelAsked
        /// A tenth of the time limit is left, at most half a minute.
        case timeNearlyOver
        /// The time limit is over: the run has failed.
        case timeOver
        /// The worker takes no new tasks. What runs has `DRAIN_TIMEOUT_SECONDS` left.
        case workerDrains
        /// That time is over, too: the task runs again elsewhere, no attempt spent.
        case givenBack
        /// The run is not this worker's any more: nothing that it does counts.
        case fencedOff
    }

    /// What happens to this run, from its beginning to its end, each at most once; each
    /// caller gets all. They end with the run.
    ///
    /// ``onStop(_:)`` and ``isStopped`` are enough for a handler that only stops. With this one can
    /// also act before it has to:
    ///
    /// ```swift
    /// func run(_ book: Book, in context: TaskContext) throws -> Summary {
    ///     let draft = Draft(book)
    ///     let watching = Task {
    ///         for await event in context.events {
    ///             switch event {
    ///             case .timeNearlyOver, .workerDrains: draft.save()
    ///             case .cancelAsked: draft.discard()
    ///             case .timeOver, .givenBack, .fencedOff: break
    ///             }
    ///         }
    ///     }
    ///     defer { watching.cancel() }
    ///     return try draft.finish(until: { context.isStopped })
    /// }
    /// ```
    public var events: some AsyncSequence<Event, Never> & Sendable {
        context.events.map { Event($0) }
    }
}

extension TaskContext.Event {
    fileprivate init(_ event: RunContext.Event) {
        self =
            switch event {
            case .cancelAsked: .cancelAsked
            case .timeNearlyOver: .timeNearlyOver
            case .timeOver: .timeOver
            case .workerDrains: .workerDrains
            case .drained: .givenBack
            case .fenced: .fencedOff
            }
    }
}
