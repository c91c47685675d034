// Everything that touches libpq: sessions, pipelined flights, the session pool, and what SQLSTATEs
// mean. It knows no table of ours.

/// What the server or the link to it answered, safe to log: no connection string, no parameter, no
/// row, no DETAIL.
package struct PostgresError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What the SQLSTATE alone says. A trigger may raise any SQLSTATE for one row, so whose fault
    /// an error is takes more than that to know.
    package enum Kind: Sendable, Equatable {
        /// The database is away, full, read-only or out of connections.
        case unavailable
        /// A table, column or grant is missing.
        case misconfigured
        /// The transaction lost a race, or waited too long for a lock: do it again.
        case conflict
        /// The server gave the statement up after `statement_timeout`.
        case timeout
        /// These values will never do: the server cannot hold them, or a constraint forbids them.
        case permanent
        /// Anything else.
        case unknown
    }

    /// What of the schema the server says it is about. Names only, so safe to show.
    package struct Place: Sendable, Hashable {
        package var table: String?
        package var column: String?
        package var constraint: String?

        package init(table: String? = nil, column: String? = nil, constraint: String? = nil) {
            self.table = table
            self.column = column
            self.constraint = constraint
        }
    }

    /// Five characters, or empty when the link failed before the server could say.
    package let sqlState: String
    /// The name of the statement, or `connect`.
    package let operation: String
    package let kind: Kind
    package let place: Place
    /// Whether the session ended with it: the server said so, or the link is gone.
    package let endsSession: Bool
    /// Whether a function of the database (a trigger's, say) was running.
    package let isFromFunction: Bool
    /// The server's primary message where it can only name objects of the schema, else nil.
    private let message: String?

    /// - Parameter message: the server's. Dropped where it may quote values.
    package init(
        sqlState: String,
        operation: String,
        message: String,
        place: Place = Place(),
        endsSession: Bool = false,
        isFromFunction: Bool = false
    ) {
        self.sqlState = sqlState
        self.operation = operation
        self.place = place
        self.endsSession = endsSession
        self.isFromFunction = isFromFunction
        kind = Self.kind(of: sqlState)
        // Other classes quote the values they choke on. So may a function of the database in any
        // class, by RAISE or by a statement that it builds from a row.
        let isSafe = sqlState.isEmpty || endsSession || kind == .misconfigured && !isFromFunction
        self.message = isSafe ? message : nil
    }

    /// The link is gone, or never was. libpq's words name host, port and the reason.
    static func link(_ message: String, during operation: String) -> PostgresError {
        let oneLine = message.split(separator: "\n").joined(separator: "; ")
        return PostgresError(
            sqlState: "",
            operation: operation,
            message: oneLine,
            endsSession: true
        )
    }

    /// The server answers and writes nothing.
    package static func readOnly(isStandby: Bool) -> PostgresError {
        PostgresError(
            sqlState: "25006",
            operation: "probe",
            message: isStandby
                ? "the server is a standby, which only reads"
                : "the server only reads: default_transaction_read_only is on",
            endsSession: true
        )
    }

    /// Whether no session came about.
    package var isFromConnecting: Bool { operation == Self.connecting }

    /// Whether PgBouncer has ended the session for want of a server. It keeps its clients when the
    /// server goes, and says so to what each of them asks next.
    package var isFromPgBouncer: Bool { sqlState == "08P01" && endsSession }
    static let connecting = "connect"

    /// Whether the SQLSTATE says that the database, not the message, is what has to be mended.
    package var isOutage: Bool { kind == .unavailable || kind == .misconfigured }

    /// Whether a table is not there.
    package var isMissing: Bool { sqlState == "42P01" }

    /// Whether a table is not there, or not for this role.
    package var isMissingOrForbidden: Bool { sqlState == "42P01" || sqlState == "42501" }

    /// Whether the session's prepared statements are outdated ("cached plan must not change result
    /// type"), or gone or someone else's because a pooler has changed the server under it.
    package var outdatesSession: Bool { sqlState == "0A000" || isFromAPooler }

    /// Whether a prepared statement is missing, or there already, in a session that prepares each
    /// once: a pooler gives it another server between two transactions.
    package var isFromAPooler: Bool { sqlState == "26000" || sqlState == "42P05" }

    /// Whether a statement of ours found that its rows are not as it needs them: it then asks for a
    /// negative OFFSET. No generated column and no constraint can raise this, for they hold no
    /// query; and a function of the database would be named in the error's context.
    package var isGuard: Bool { sqlState == "2201X" && !isFromFunction }

    package var description: String {
        let state = sqlState.isEmpty ? "no answer" : "SQLSTATE \(sqlState)"
        let names = [
            place.table.map { "table \($0)" }, place.column.map { "column \($0)" },
            place.constraint.map { "constraint \($0)" },
        ].compactMap(\.self).joined(separator: ", ")
        return "\(operation): \(state)" + (message.map { ": \($0)" } ?? "")
            + (names.isEmpty ? "" : " (\(names))") + (hint.map { "; \($0)" } ?? "")
    }

    /// What is known of it that its SQLSTATE does not say.
    private var hint: String? {
        switch sqlState {
        case _ where isFromAPooler:
            "a pooler in transaction mode stands between that does not keep prepared statements: "
                + "PgBouncer 1.21 or newer with max_prepared_statements, or session mode"
        case "25P03": "the worker, or the link, was slow in a transaction"
        // PostgreSQL itself hardly ever says it to a client that speaks its protocol.
        case "08P01":
            "PgBouncer says so where its server is away, no place is left, or an option is rejected"
        case _ where isFromFunction: "in a function of the database, a trigger's say: see its log"
        case _: nil
        }
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
        // statements that are outdated, gone or someone else's (the session is replaced), and a
        // guard of ours.
        case "40001", "40003", "40P01", "55P03", "0A000", "26000", "42P05", "2201X": .conflict
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
