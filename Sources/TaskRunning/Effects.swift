import Postgres
import Tasks

/// Statements of a handler's own, in the transaction that completes its task.
typealias Effects = [(Statement, [Parameter])]

extension PostgresError {
    /// Whether it is the matter of the handler's own statements: the database is well, and would
    /// refuse them again.
    func refuses(_ effects: Effects) -> Bool {
        if effects.isEmpty || endsSession { return false }
        return switch kind {
        case .permanent: true
        // Of an outage or a missing grant, too, our own statements tell. A constraint that was put
        // off speaks at the COMMIT.
        case .misconfigured, .timeout, .unknown: isOf(effects)
        case .unavailable, .conflict: false
        }
    }

    /// Whether one of them, or the COMMIT of what they wrote, has met it.
    func isOf(_ effects: Effects) -> Bool {
        if effects.isEmpty { return false }
        return operation == Statement.commit.name || effects.contains { $0.0.name == operation }
    }
}

extension RunOutcome {
    static let resultRefused = RunOutcome.failed(
        code: TaskErrorCode.resultRefused.rawValue,
        message: TaskErrorCode.resultRefused.message,
        retries: true
    )

    static func effectRefused(by sqlState: String) -> RunOutcome {
        .failed(
            code: TaskErrorCode.effectRefused.rawValue,
            message: "SQLSTATE \(sqlState)",
            retries: true
        )
    }
}
