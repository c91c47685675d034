import Postgres

/// Makes the database complete: the contract's tables where they are missing, and what is Amity's
/// own. It never alters what it did not make.
package struct Migrator {
    private let target: ConnectionTarget

    package init(target: ConnectionTarget) {
        self.target = target
    }

    /// Runs what has not run yet, in one transaction. Safe to run twice, and by several at once:
    /// the second waits for the first and finds nothing left to do.
    ///
    /// - Returns: what was done and what was found, one line each, for people.
    package func run() throws -> [String] {
        var session = try Session(to: target, applicationName: "amity migrate")
        // A table that is being written to elsewhere may keep an index waiting for long.
        _ = try session.flight([(.begin, []), (Self.patience, []), (Self.lock, [])])
        var report: [String] = []
        let ledger = try session.flight([(Self.columns, [.text("amity_migrations")])])[0]
        if ledger.count == 0 {
            _ = try session.flight([(Schema.ledger, [])])
            report.append("created table amity_migrations")
        }
        for table in Schema.tables {
            report.append(try ensure(table, in: &session))
        }
        for step in Schema.steps {
            if let line = try apply(step, in: &session) { report.append(line) }
        }
        _ = try session.flight([(.commit, [])])
        return report
    }

    private func ensure(_ table: Schema.Table, in session: inout Session) throws -> String {
        let found = try session.flight([(Self.columns, [.text(table.name)])])[0]
        if found.count == 0 {
            _ = try session.flight(table.definition.map { ($0, []) })
            return "created table \(table.name)"
        }
        let columns = Set((0..<found.count).compactMap { found.string($0, 0) })
        let missing = table.columns.filter { !columns.contains($0) }
        if missing.isEmpty { return "found table \(table.name): left as it is" }
        throw MigrationError.incompleteTable(name: table.name, missing: missing)
    }

    private func apply(_ step: Schema.Step, in session: inout Session) throws -> String? {
        let done = try session.flight([(Self.isRecorded, [.text(step.name)])])[0]
        if done.count > 0 { return nil }
        _ = try session.flight(step.statements.map { ($0, []) })
        _ = try session.flight([(Self.record, [.text(step.name), .text(amityVersion)])])
        return "applied \(step.name)"
    }

    private static let patience = Statement(
        "patience",
        """
        SELECT set_config('lock_timeout', '60s', true), set_config('statement_timeout', '0', true),
               set_config('idle_in_transaction_session_timeout', '60s', true)
        """
    )
    /// The key is the ASCII of "amity".
    private static let lock = Statement("lock", "SELECT pg_advisory_xact_lock(418430873721)")
    private static let columns = Statement(
        "columns",
        """
        SELECT attname FROM pg_attribute
        WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped
        """
    )
    private static let isRecorded = Statement(
        "is_recorded",
        "SELECT 1 FROM amity_migrations WHERE name = $1"
    )
    private static let record = Statement(
        "record",
        "INSERT INTO amity_migrations (name, version) VALUES ($1, $2)"
    )
}

package enum MigrationError: Error, CustomStringConvertible {
    case incompleteTable(name: String, missing: [String])

    package var description: String {
        switch self {
        case .incompleteTable(let name, let missing):
            """
            table \(name) exists but lacks \(missing.joined(separator: ", ")). Amity does not alter \
            tables it did not make: add the columns as the service that owns them does
            """
        }
    }
}
