// Everything that touches libpq: sessions, pipelined flights, the session pool, and what SQLSTATEs
// mean. It knows no table of ours.

/// What the server or the link to it answered, safe to log: no connection string, no parameter, no
/// row, no DETAIL.
package struct PostgresError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What a caller can do about it.
    package enum Kind: Sendable, Equatable {
        /// The database is away, full, read-only or out of connections. Nobody's message is to
        /// blame: wait and try again.
        case unavailable
        /// A table, column or grant is missing: wait for somebody to mend it.
        case misconfigured
        /// The transaction lost a race, or waited too long for somebody's lock: do it again.
        case conflict
        /// The server gave the statement up after `statement_timeout`.
        case timeout
        /// These values will never do: the server cannot hold them, or a constraint forbids them.
        case permanent
        /// Anything else.
        case unknown
    }

    /// Five characters, or empty when the link failed before the server could say.
    package let sqlState: String
    /// The name of the statement, or `connect`.
    package let operation: String
    package let kind: Kind
    /// The server's primary message where it can only name objects of the schema, else nil.
    private let message: String?

    init(sqlState: String, operation: String, message: String) {
        self.sqlState = sqlState
        self.operation = operation
        kind = Self.kind(of: sqlState)
        // Other classes quote the values they choke on.
        self.message = sqlState.isEmpty || kind == .misconfigured ? message : nil
    }

    /// The link is gone, or never was. libpq's words name host, port and the reason.
    static func link(_ message: String, during operation: String) -> PostgresError {
        let oneLine = message.split(separator: "\n").joined(separator: "; ")
        return PostgresError(sqlState: "", operation: operation, message: oneLine)
    }

    /// Whether the database, not the message, is what has to be mended.
    package var isOutage: Bool { kind == .unavailable || kind == .misconfigured }

    /// Whether a table is not there.
    package var isMissing: Bool { sqlState == "42P01" }

    /// Whether a table is not there, or not for this role.
    package var isMissingOrForbidden: Bool { sqlState == "42P01" || sqlState == "42501" }

    /// Whether the session's prepared statements are outdated ("cached plan must not change result
    /// type"), or gone because a pooler has changed the server under it.
    var outdatesSession: Bool { sqlState == "0A000" || sqlState == "26000" }

    package var description: String {
        let state = sqlState.isEmpty ? "no answer" : "SQLSTATE \(sqlState)"
        return "\(operation): \(state)" + (message.map { ": \($0)" } ?? "")
    }

    /// Why a session was lost, or not opened, as a metric's label has it.
    enum Cause: String, CaseIterable, Sendable {
        case link
        case unavailable
        case refused
        case outdated
        case other
    }

    var cause: Cause {
        if sqlState.isEmpty { return .link }
        if outdatesSession { return .outdated }
        return switch kind {
        case .unavailable: .unavailable
        case .misconfigured: .refused
        case .conflict, .timeout, .permanent, .unknown: .other
        }
    }

    private static func kind(of sqlState: String) -> Kind {
        switch sqlState {
        case "": .unavailable
        // serialization failure, completion unknown, deadlock, lock not available, prepared
        // statements that are outdated or gone (the session is replaced), and division by zero: so
        // a statement of ours says that rows are no longer as they were read.
        case "40001", "40003", "40P01", "55P03", "0A000", "26000", "22012": .conflict
        case "57014": .timeout
        // read-only transaction, idle-in-transaction timeout, transaction timeout.
        case "25006", "25P03", "25P04": .unavailable
        // Database or role unknown, password refused.
        case "3D000", "28000", "28P01": .misconfigured
        case _:
            switch sqlState.prefix(2) {
            // connection, insufficient resources, operator intervention, system error.
            case "08", "53", "57", "58": .unavailable
            case "42": .misconfigured
            // data exception, integrity constraint violation.
            case "22", "23": .permanent
            case _: .unknown
            }
        }
    }
}
