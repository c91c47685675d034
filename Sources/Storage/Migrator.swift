import Postgres

/// Makes the database complete: the contract's tables where they are missing, and what is Amity's
/// own, also what has been lost of it. It never alters what it did not make.
package struct Migrator {
    private let target: ConnectionTarget
    private let version: String
    private let isSeparate: Bool
    private let lockTimeout: Duration

    /// - Parameters:
    ///   - version: the program's, written down beside each step.
    ///   - isSeparate: whether tables of the service's names in other schemas are of no concern.
    ///   - lockTimeout: how long a statement may wait for others who use its table.
    package init(
        target: ConnectionTarget,
        version: String,
        isSeparate: Bool = true,
        lockTimeout: Duration = .seconds(60)
    ) {
        self.target = target
        self.version = version
        self.isSeparate = isSeparate
        self.lockTimeout = lockTimeout
    }

    /// Runs what has not run yet, in one transaction. Safe to run twice, and by several at once:
    /// the second waits for the first and finds nothing left to do.
    ///
    /// - Returns: what was done and what was found, one line each, for people.
    /// - Throws: `MigrationError`, and `PostgresError` where that says enough.
    package func run() throws -> [String] {
        do {
            return try migrate()
        } catch let error as PostgresError {
            throw MigrationError(error, lockTimeout: lockTimeout) ?? error
        }
    }

    private func migrate() throws -> [String] {
        var session = try Session(to: target, applicationName: "amity migrate")
        let refusal = try session.flight([(Self.place, [])])[0].first(Self.refusal)
        if let refusal { throw refusal }
        // A table that is being written to elsewhere may keep an index waiting for long.
        let limit = Parameter.text("\(Int(lockTimeout / .milliseconds(1)))ms")
        _ = try session.flight([(.begin, []), (Self.patience, [limit]), (Self.lock, [])])
        if !isSeparate { try refuseSecondSet(in: &session) }
        var report: [String] = []
        let ledger = try columns(of: Schema.ledgerName, in: &session)
        if ledger.isEmpty {
            _ = try session.flight([(Schema.ledger, [])])
            report.append("created table \(Schema.ledgerName)")
        } else if !ledger.contains("name") || !ledger.contains("version") {
            throw MigrationError.notOurs(table: Schema.ledgerName, lacks: "name and version")
        }
        for table in Schema.tables {
            report.append(try ensure(table, in: &session))
        }
        for step in Schema.steps { report += try complete(step, in: &session) }
        _ = try session.flight([(.commit, [])])
        return report
    }

    /// The service's tables may be there, where this session's search_path does not lead.
    private func refuseSecondSet(in session: inout Session) throws {
        let names = Schema.tables.map(\.name)
        let rows = try session.flight([(Self.elsewhere, [.textArray(names)])])[0]
        let found = try rows.map(SearchPathSQL.table)
        for name in names {
            let schemas = found.filter { $0.name == name }.map(\.schema)
            if !schemas.isEmpty { throw MigrationError.elsewhere(table: name, schemas: schemas) }
        }
    }

    private func ensure(_ table: Schema.Table, in session: inout Session) throws -> String {
        let columns = try columns(of: table.name, in: &session)
        if columns.isEmpty {
            _ = try session.flight(table.definition.map { ($0, []) })
            return "created table \(table.name)"
        }
        let missing = table.columns.filter { !columns.contains($0) }
        if missing.isEmpty { return "found table \(table.name): left as it is" }
        throw MigrationError.incompleteTable(name: table.name, missing: missing)
    }

    private func columns(of table: String, in session: inout Session) throws -> Set<String> {
        let found = try session.flight([(Self.columns, [.text(table)])])[0]
        return Set(try found.map { row throws(PostgresError) in try row.text() ?? "" })
    }

    private static let place = Statement(
        "migration_place",
        """
        SELECT pg_is_in_recovery(), current_schema(), current_setting('search_path'), current_user
        """
    )

    /// Why nothing can be made in this place; nil where it can.
    private static func refusal(_ row: inout RowReader) throws(PostgresError) -> MigrationError? {
        if try row.bool() ?? true { return .standby }
        if try row.text() != nil { return nil }
        return .noSchema(path: try row.text() ?? "", role: try row.text() ?? "")
    }

    /// $1: of a wait for a lock.
    private static let patience = Statement(
        "patience",
        """
        SELECT set_config('lock_timeout', $1, true), set_config('statement_timeout', '0', true),
               set_config('idle_in_transaction_session_timeout', '60s', true)
        """
    )
    /// The key is the ASCII of "amity".
    private static let lock = Statement("lock", "SELECT pg_advisory_xact_lock(418430873721)")
    private static let elsewhere = Statement("find_elsewhere", SearchPathSQL.elsewhere)
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
    /// $1: table, $2: columns. Whether no two rows can have the same there.
    private static let hasKey = Statement(
        "has_key",
        """
        SELECT 1 FROM pg_index
        WHERE indrelid = to_regclass($1) AND indisunique AND indisvalid AND indpred IS NULL
          AND (SELECT array_agg(attname::text ORDER BY attname) FROM pg_attribute
               WHERE attrelid = indrelid AND attnum = ANY (indkey))
              = (SELECT array_agg(name ORDER BY name) FROM unnest($2::text[]) AS name)
        """
    )
    private static let hasIndex = Statement("has_index", "SELECT to_regclass($1)")
    private static let hasTrigger = Statement(
        "has_trigger",
        "SELECT 1 FROM pg_trigger WHERE tgrelid = to_regclass($1) AND tgname = $2"
    )
    private static let hasFunction = Statement("has_function", "SELECT to_regprocedure($1)")
}

// MARK: - What is Amity's own

extension Migrator {
    /// Applies a step, or makes again what of it is not there.
    private func complete(_ step: Schema.Step, in session: inout Session) throws -> [String] {
        let isRecorded =
            try session.flight([(Self.isRecorded, [.text(step.name)])])[0].count > 0
        var made: [String] = []
        var wasThere = isRecorded
        for statement in step.statements {
            guard let object = SchemaObject(statement.sql) else {
                if !isRecorded { _ = try session.flight([(statement, [])]) }
                continue
            }
            let missing = try make(object, with: statement, isRecorded, in: &session)
            made += missing
            if missing.isEmpty { wasThere = true }
        }
        if !isRecorded {
            let parameters: [Parameter] = [.text(step.name), .text(version)]
            _ = try session.flight([(Self.record, parameters)])
            if !wasThere { return ["applied \(step.name)"] }
        }
        return made.map { "repaired \(step.name): made \($0) again" }
            + (isRecorded ? [] : ["recorded \(step.name): it was there"])
    }

    /// - Returns: what was made, empty where all was there.
    private func make(
        _ object: SchemaObject,
        with statement: Statement,
        _ isRecorded: Bool,
        in session: inout Session
    ) throws -> [String] {
        switch object {
        case .table(let name, let wanted, let key, let isUnlogged):
            let found = try columns(of: name, in: &session)
            if found.isEmpty {
                _ = try session.flight([(statement, [])])
                return ["table \(name)"]
            }
            try checkIsOurs(name, found, wanted, key: key, isRecorded)
            let missing = wanted.filter { !found.contains($0.name) }
            let lines = try add(missing, to: name, isEmptied: isUnlogged, in: &session)
            return lines + (try addKey(key, to: name, in: &session))
        case .columns(let wanted, let table):
            let found = try columns(of: table, in: &session)
            let missing = wanted.filter { !found.contains($0.name) }
            return try add(missing, to: table, isEmptied: false, in: &session)
        case .index(let index, _):
            let found = try session.flight([(Self.hasIndex, [.text(index)])])[0]
            let name = try found.first { row throws(PostgresError) in try row.text() }
            if name != nil { return [] }
            _ = try session.flight([(statement, [])])
            return ["index \(index)"]
        case .function(let signature):
            let found = try session.flight([(Self.hasFunction, [.text(signature)])])[0]
            let name = try found.first { row throws(PostgresError) in try row.text() }
            if name != nil { return [] }
            _ = try session.flight([(statement, [])])
            return ["function \(signature)"]
        case .trigger(let name, let table):
            let parameters: [Parameter] = [.text(table), .text(name)]
            let found = try session.flight([(Self.hasTrigger, parameters)])[0]
            if found.count > 0 { return [] }
            _ = try session.flight([(statement, [])])
            return ["trigger \(name)"]
        }
    }

    /// A table of one of our names may be another program's: without our key, or, where no step of
    /// ours is recorded, with columns that we do not know and without some that we do.
    private func checkIsOurs(
        _ name: String,
        _ found: Set<String>,
        _ wanted: [SchemaObject.Column],
        key: [String],
        _ isRecorded: Bool
    ) throws {
        let lacking = key.filter { !found.contains($0) }
        if !lacking.isEmpty {
            throw MigrationError.notOurs(table: name, lacks: lacking.joined(separator: ", "))
        }
        if isRecorded { return }
        let missing = wanted.map(\.name).filter { !found.contains($0) }
        let known = Set(Schema.ownTables.first { $0.name == name }?.columns ?? [])
        if !missing.isEmpty, !found.isSubset(of: known) {
            throw MigrationError.notOurs(table: name, lacks: missing.joined(separator: ", "))
        }
    }

    /// - Parameter isEmptied: whether its rows may go: workers tell them again within seconds.
    private func add(
        _ columns: [SchemaObject.Column],
        to table: String,
        isEmptied: Bool,
        in session: inout Session
    ) throws -> [String] {
        for column in columns {
            let place = "ALTER TABLE \(table)"
            var changes = ["\(place) ADD COLUMN \(column.name) \(column.definition)"]
            if column.isRequired {
                if isEmptied {
                    changes.insert("DELETE FROM \(table)", at: 0)
                } else {
                    // The rows that are there get a value that says nothing.
                    changes[0] += " DEFAULT \(column.nothing)"
                    changes.append("\(place) ALTER COLUMN \(column.name) DROP DEFAULT")
                }
            }
            _ = try session.flight(
                changes.enumerated().map {
                    (Statement("repair_\(table)_\(column.name)_\($0)", $1), [])
                }
            )
        }
        return columns.map { "column \(table).\($0.name)" }
    }

    private func addKey(
        _ key: [String],
        to table: String,
        in session: inout Session
    ) throws -> [String] {
        let parameters: [Parameter] = [.text(table), .textArray(key)]
        if try session.flight([(Self.hasKey, parameters)])[0].count > 0 { return [] }
        let columns = key.joined(separator: ", ")
        let sql = "ALTER TABLE \(table) ADD PRIMARY KEY (\(columns))"
        _ = try session.flight([(Statement("repair_\(table)_key", sql), [])])
        return ["primary key of \(table)"]
    }
}

extension SchemaObject.Column {
    fileprivate var isRequired: Bool {
        definition.contains("NOT NULL") && !definition.contains("DEFAULT")
    }

    /// Of its type, what stands for no knowledge.
    fileprivate var nothing: String {
        switch definition.split(separator: " ").first ?? "" {
        case "text": "''"
        case "text[]": "'{}'"
        case "jsonb": "'{}'"
        case "timestamptz": "now()"
        case "boolean": "false"
        case _: "0"
        }
    }
}
