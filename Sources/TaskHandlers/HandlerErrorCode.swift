import TaskRunning

/// Why a run failed, where neither a status nor a command's own error says so.
enum HandlerErrorCode: String {
    case addressRefused = "ADDRESS_REFUSED"
    case unreachable = "UNREACHABLE"
    case secretUnusable = "SECRET_UNUSABLE"
    /// The receiver of a callback is gone.
    case callbackDisabled = "CALLBACK_DISABLED"
    case timeout = "TIMEOUT"
    case invalidPayload = "INVALID_PAYLOAD"
    case commandNotStarted = "COMMAND_NOT_STARTED"
    case outputRefused = "OUTPUT_REFUSED"
}

extension RunEnd {
    static func failed(_ code: HandlerErrorCode, _ message: String, retries: Bool) -> RunEnd {
        .failed(code: code.rawValue, message: message, retries: retries)
    }
}
