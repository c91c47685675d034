/// Why a task failed where its handler does not say so.
package enum TaskErrorCode: String, Sendable {
    /// The deadline came before a run that succeeded.
    case deadlineExceeded = "DEADLINE_EXCEEDED"
    case timeout = "TIMEOUT"
    case invalidPayload = "INVALID_PAYLOAD"
    /// The handler ended without a result, and had not been asked to.
    case stopped = "STOPPED"
    /// A statement of the handler's own could not be done.
    case effectRefused = "EFFECT_REFUSED"
    case workerCrashed = "WORKER_CRASHED"
    case resultTooLarge = "RESULT_TOO_LARGE"
    /// PostgreSQL does not take it: no JSON, or text with NUL.
    case resultRefused = "RESULT_REFUSED"
    /// A task that it needed has not succeeded, or is gone.
    case needFailed = "NEED_FAILED"
}
