/// Why a task failed where its handler does not say so.
package enum TaskErrorCode: String, Sendable {
    case deadlineExceeded = "DEADLINE_EXCEEDED"
    case timeout = "TIMEOUT"
    case invalidPayload = "INVALID_PAYLOAD"
    /// The handler ended without a result, and had not been asked to.
    case stopped = "STOPPED"
    /// A statement of the handler's own could not be done.
    case effectRefused = "EFFECT_REFUSED"
    case workerCrashed = "WORKER_CRASHED"
    case resultTooLarge = "RESULT_TOO_LARGE"
    case resultRefused = "RESULT_REFUSED"
    /// A task that it needed has not succeeded, or is gone.
    case needFailed = "NEED_FAILED"

    /// The message of those about which no handler can say more.
    package var message: String {
        switch self {
        case .deadlineExceeded: "the deadline came before a run that succeeded"
        case .timeout: "the run took longer than its timeout_seconds"
        case .workerCrashed: "worker after worker died that ran nothing else"
        case .resultTooLarge: "the result has more than 64 KB"
        case .resultRefused:
            "the database does not store the result: no JSON, \\u0000, or half a surrogate pair"
        case .invalidPayload, .stopped, .effectRefused, .needFailed: ""
        }
    }
}
