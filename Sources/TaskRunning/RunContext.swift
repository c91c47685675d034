import Concurrency
import Tasks

/// What a run knows of the world: whether it is to stop, and where its progress goes. Any thread
/// may use it.
package final class RunContext: Sendable {
    package enum StopReason: Sendable, Equatable {
        /// A client does not want the result any more.
        case cancelled
        /// The time limit of its type is over.
        case timedOut
        /// The worker ends: the task runs again elsewhere, no attempt spent.
        case drained
        /// The run is not this worker's any more: nothing that it does counts.
        case fenced
    }

    /// What happens to a run from outside, each at most once. What stops it is told as well.
    package enum Event: Sendable, Hashable, CaseIterable {
        case cancelAsked
        /// A tenth of its time is left, at most half a minute.
        case timeNearlyOver
        case timeOver
        /// The worker takes nothing new, and lets what runs finish within its drain's time.
        case workerDrains
        /// That time is over: the task runs again elsewhere.
        case drained
        case fenced
    }

    package struct Progress: Sendable, Equatable {
        package var percent: Int?
        package var note: String?
    }

    private struct State {
        var reason: StopReason?
        var actions: [@Sendable (StopReason) -> Void] = []
        /// Not written yet.
        var progress: Progress?
        /// In the order in which they came; never more than there are kinds.
        var events: [Event] = []
        var listeners: [AsyncStream<Event>.Continuation] = []
        var hasEnded = false
    }

    private let state = Locked(State())
    /// For a service that reports later; nil where the handler asked for none.
    package let token: RunToken?

    package init(token: RunToken? = nil) {
        self.token = token
    }

    /// Why it is to stop; nil while it is to go on.
    package var stopReason: StopReason? { state.withLock(\.reason) }

    /// Asks the run to stop. The first reason stays, but for one: a run that is fenced off is so
    /// whatever it was asked before.
    package func stop(for reason: StopReason) {
        let actions = state.withLock { state in
            if state.reason == nil || reason == .fenced { state.reason = reason }
            defer { state.actions = [] }
            return state.actions
        }
        note(Event(reason))
        for action in actions { action(reason) }
    }

    // MARK: Events

    /// What has happened, and what happens until the run's end. Each listener gets all.
    package var events: AsyncStream<Event> {
        let (stream, listener) = AsyncStream.makeStream(
            of: Event.self,
            bufferingPolicy: .bufferingNewest(Event.allCases.count)
        )
        state.withLock { state in
            for event in state.events { listener.yield(event) }
            if state.hasEnded { listener.finish() } else { state.listeners.append(listener) }
        }
        return stream
    }

    func note(_ event: Event) {
        state.withLock { state in
            if state.hasEnded || state.events.contains(event) { return }
            state.events.append(event)
            for listener in state.listeners { listener.yield(event) }
        }
    }

    /// Ends what listens. The run has ended.
    func end() {
        state.withLock { state in
            state.hasEnded = true
            for listener in state.listeners { listener.finish() }
            state.listeners = []
        }
    }

    /// Has `action` called once when the run is to stop; at once, on this thread, where it is
    /// already. It must not block.
    package func onStop(_ action: @escaping @Sendable (StopReason) -> Void) {
        let reason = state.withLock { state in
            if state.reason == nil { state.actions.append(action) }
            return state.reason
        }
        if let reason { action(reason) }
    }

    // MARK: Progress

    /// Tells how far the run is; returns at once. What comes within a second replaces what came
    /// before.
    ///
    /// - Parameters:
    ///   - percent: 0 to 100; nil leaves the last one.
    ///   - note: at most 1,000 characters for a reader; nil leaves the last one.
    package func report(progress percent: Int?, note: String? = nil) {
        state.withLock { state in
            var progress = state.progress ?? Progress()
            if let percent { progress.percent = min(max(percent, 0), 100) }
            progress.note = note ?? progress.note
            state.progress = progress
        }
    }

    /// Takes what was reported since the last call.
    func takeProgress() -> Progress? {
        state.withLock { state in
            defer { state.progress = nil }
            return state.progress
        }
    }

    /// Puts back what could not be written, where nothing newer has come.
    func putBack(_ progress: Progress) {
        state.withLock { state in
            var merged = state.progress ?? progress
            merged.percent = merged.percent ?? progress.percent
            merged.note = merged.note ?? progress.note
            state.progress = merged
        }
    }
}

extension RunContext.Event {
    fileprivate init(_ reason: RunContext.StopReason) {
        self =
            switch reason {
            case .cancelled: .cancelAsked
            case .timedOut: .timeOver
            case .drained: .drained
            case .fenced: .fenced
            }
    }
}
