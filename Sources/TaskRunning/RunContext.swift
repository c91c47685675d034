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

    package struct Progress: Sendable, Equatable {
        package var percent: Int?
        package var note: String?
    }

    private struct State {
        var reason: StopReason?
        var actions: [@Sendable (StopReason) -> Void] = []
        /// Not written yet.
        var progress: Progress?
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
        for action in actions { action(reason) }
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
