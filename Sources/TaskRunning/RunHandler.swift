import Concurrency
import Postgres
import Tasks

/// What runs tasks of a type.
package protocol RunHandler: Sendable {
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
    /// Not now, for a reason of this worker's: again after so many seconds, no attempt spent.
    case snoozed(seconds: Double)
    /// A service asks for so many seconds: no attempt spent, within a day of the first such answer
    /// in a row.
    ///
    /// - message: names the service's answer.
    case putOff(seconds: Double, code: String, message: String)
    /// A service will report with the run token.
    case handedOver
    /// It has stopped because it was asked to; the reason decides what becomes of the task.
    case stopped

    /// What puts a task off for ever is a failure at last.
    ///
    /// - Parameter putOff: seconds since the first such answer in a row; nil for none before.
    func counted(since putOff: Double?) -> RunEnd {
        guard case .putOff(let seconds, let code, let message) = self, let putOff,
            putOff >= RetryRule.longestPutOff
        else { return self }
        let hours = Int(RetryRule.longestPutOff / 3_600)
        return .failed(
            code: code,
            message: "\(message), for \(hours) hours",
            retries: true,
            after: seconds
        )
    }
}
