import Postgres
import Tasks

/// What runs tasks of a type.
package protocol RunHandler: Sendable {
    /// Whether it runs inside the worker's process, so that it can end it.
    var isInProcess: Bool { get }
    /// Whether it is given a run token, because it may report later.
    var needsToken: Bool { get }

    /// Runs on a thread of the worker, and may block it. It ends soon after `context` says that it
    /// is to stop.
    func run(_ task: ClaimedTask, in context: RunContext) -> RunEnd
}

/// How a handler has ended.
package enum RunEnd: Sendable {
    /// - Parameters:
    ///   - result: JSON of at most 64 KB; nil for none.
    ///   - effects: statements of the handler's own, for the transaction that completes the task.
    case completed(result: String?, effects: [(Statement, [Parameter])] = [])
    /// - Parameters:
    ///   - code: UPPER_SNAKE_CASE.
    ///   - message: may hold users' data: stored with the task, never logged.
    ///   - retries: whether another run may succeed.
    ///   - after: seconds until then, as a service has asked for; nil for the backoff.
    case failed(code: String, message: String, retries: Bool, after: Double? = nil)
    /// Not now, for no fault of the task: again after so many seconds, no attempt spent.
    case snoozed(seconds: Double)
    /// A service will report with the run token.
    case handedOver
    /// It has stopped because it was asked to; the reason decides what becomes of the task.
    case stopped
}
