/// Which states an event finds, what else must hold, and where it leads. The guards of the SQL
/// statements say the same; tests hold the two against each other.
package struct Transition: Sendable {
    /// What has to hold besides the state.
    package struct Fence: OptionSet, Sendable {
        package let rawValue: UInt16
        package init(rawValue: UInt16) { self.rawValue = rawValue }

        /// The event names the row's run.
        package static let run = Fence(rawValue: 1)
        /// The event names the row's worker.
        package static let worker = Fence(rawValue: 2)
        /// The row has no worker: a service reports later.
        package static let noWorker = Fence(rawValue: 4)
        /// `due_at` is the token of the sender's lease.
        package static let lease = Fence(rawValue: 8)
        /// `due_at` has come.
        package static let due = Fence(rawValue: 16)
        /// No cancellation has been asked for.
        package static let notCancelled = Fence(rawValue: 32)
        /// The deadline has not passed.
        package static let inTime = Fence(rawValue: 64)
        /// The deadline has passed.
        package static let late = Fence(rawValue: 128)
        /// Its message is on the broker, as far as is known: `due_at` is the deadline.
        package static let atRest = Fence(rawValue: 256)
    }

    package let event: TaskEvent.Kind
    package let from: TaskStates
    package let fences: Fence
    package let to: TaskStates

    private init(
        _ event: TaskEvent.Kind,
        from: TaskStates,
        _ fences: Fence = [],
        to: TaskStates
    ) {
        self.event = event
        self.from = from
        self.fences = fences
        self.to = to
    }

    /// In the order of the events.
    package static let all = [
        Transition(.due, from: [.scheduled, .queued], [.due, .inTime], to: [.waiting, .queued]),
        Transition(.published, from: .queued, [.run, .lease], to: .queued),
        Transition(.unhandled, from: .queued, .run, to: .queued),
        Transition(.missing, from: .queued, .atRest, to: .queued),
        Transition(.claimed, from: .queued, [.run, .notCancelled, .inTime], to: .processing),
        Transition(.succeeded, from: .processing, .run, to: .completed),
        Transition(.failed, from: .processing, .run, to: [.scheduled, .failed, .cancelled]),
        Transition(.snoozed, from: .processing, .run, to: [.scheduled, .cancelled]),
        Transition(
            .handedOver,
            from: .processing,
            [.run, .worker],
            to: [.processing, .cancelled]
        ),
        Transition(.progressed, from: .processing, [.run, .noWorker], to: .processing),
        Transition(.stopped, from: .processing, .run, to: .cancelled),
        Transition(
            .givenBack,
            from: .processing,
            [.run, .worker],
            to: [.queued, .waiting, .cancelled]
        ),
        Transition(
            .lost,
            from: .processing,
            .worker,
            to: [.queued, .waiting, .cancelled, .failed]
        ),
        Transition(
            .timedOut,
            from: .processing,
            [.noWorker, .due],
            to: [.scheduled, .failed, .cancelled]
        ),
        Transition(.deadlinePassed, from: .pending, [.due, .late], to: .failed),
        Transition(.woken, from: .blocked, to: .blocked),
        Transition(
            .looked,
            from: .blocked,
            [.due, .inTime],
            to: [.blocked, .waiting, .queued, .cancelled]
        ),
        Transition(
            .cancelAsked,
            from: [.pending, .processing],
            to: [.processing, .cancelled]
        ),
        Transition(.retriedByHand, from: [.failed, .cancelled], to: [.queued, .waiting]),
        Transition(.priorityChanged, from: .pending, to: .pending),
    ]

    package static func of(_ event: TaskEvent.Kind) -> Transition { all[event.rawValue] }
}
