import Concurrency
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

/// What runs without a thread: it only waits, for another host.
package protocol WaitingHandler: RunHandler {
    /// Called on a thread of the worker, which is free again when this returns.
    ///
    /// - Parameter done: to be called once, from any thread; it returns at once. What it is given
    ///   tells how the run has ended, on a thread that may be blocked.
    func begin(
        _ task: ClaimedTask,
        in context: RunContext,
        _ done: @escaping @Sendable (_ end: @escaping @Sendable () -> RunEnd) -> Void
    )
}

extension WaitingHandler {
    package func run(_ task: ClaimedTask, in context: RunContext) -> RunEnd {
        let found = Locked<(@Sendable () -> RunEnd)?>(nil)
        let isDone = MonotonicSemaphore(value: 0)
        begin(task, in: context) { end in
            found.withLock { $0 = end }
            isDone.signal()
        }
        isDone.wait()
        return found.withLock { $0 }?() ?? .stopped
    }
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
