import Postgres
import Tasks

/// Statements of a handler's own, in the transaction that completes its task.
typealias Effects = [(Statement, [Parameter])]

/// Of a team's own, not of a handler that Amity brings along.
package enum OwnStatement {
    /// Of their names.
    package static let prefix = "handler_"
}

extension PostgresError {
    /// Whether it is the matter of the handler's own statements: the database is well, and would
    /// refuse them again.
    func refuses(_ effects: Effects) -> Bool {
        if effects.isEmpty || endsSession { return false }
        return switch kind {
        case .permanent: true
        // What Amity lacks itself is mended by an operator, and waited for.
        case .misconfigured: isOf(effects) && operation.hasPrefix(OwnStatement.prefix)
        // A constraint that was put off speaks at the COMMIT.
        case .timeout, .unknown: isOf(effects)
        case .unavailable, .conflict: false
        }
    }

    /// Whether it may be no outage, although it looks like one: a function of the database may
    /// raise anything, a statement may end its session each time, or be given too many values
    /// (08P01).
    func mayBeMatter(of effects: Effects) -> Bool {
        isOf(effects) && (isFromFunction || endsSession || sqlState == "08P01")
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
            message: sqlState.isEmpty ? "it ended the session" : "SQLSTATE \(sqlState)",
            retries: true
        )
    }
}
