import Foundation
import Postgres
import Storage

/// Looks at the tables: those of the contract and Amity's own.
enum CatalogueProbe {
    private static let names =
        Schema.tables.map(\.name) + Schema.ownTables.map(\.name)
        + [Schema.ledgerName]

    static func look(into snapshot: inout SessionSnapshot, asking questions: inout Questions) {
        snapshot.path = path(asking: &questions)
        snapshot.tables = tables(asking: &questions)
        let names = [Parameter.textArray(names)]
        guard let rows = questions.ask("indexes", CatalogueSQL.indexes, names) else { return }
        snapshot.indexes = (0..<rows.count).map { row in
            .init(
                name: rows.string(row, 0) ?? "",
                table: rows.string(row, 1) ?? "",
                method: rows.string(row, 2) ?? "",
                columns: rows.string(row, 3) ?? "",
                bytes: rows.integer(row, 4) ?? 0,
                isKey: rows.bool(row, 5)
            )
        }
    }

    private static func path(asking questions: inout Questions) -> SessionSnapshot.SearchPath? {
        guard let rows = questions.ask("search_path", CatalogueSQL.path) else { return nil }
        var path = SessionSnapshot.SearchPath(
            text: rows.string(0, 0) ?? "",
            schema: rows.string(0, 1)
        )
        let names = [Parameter.textArray(names)]
        guard let found = questions.ask("other schemas", CatalogueSQL.elsewhere, names) else {
            return path
        }
        for row in 0..<found.count {
            path.elsewhere[found.string(row, 0) ?? "", default: []]
                .append(found.string(row, 1) ?? "")
        }
        return path
    }

    private static func tables(asking questions: inout Questions) -> [String: TableSnapshot]? {
        let names = [Parameter.textArray(names)]
        guard let columns = questions.ask("columns", CatalogueSQL.columns, names) else {
            return nil
        }
        var tables: [String: TableSnapshot] = [:]
        for row in 0..<columns.count {
            let (table, column) = (columns.string(row, 0) ?? "", columns.string(row, 1) ?? "")
            tables[table, default: .init(columns: [:])].columns[column] = .init(
                type: columns.string(row, 2) ?? "",
                length: columns.integer(row, 3),
                isNullable: columns.bool(row, 4),
                hasDefault: columns.bool(row, 5),
                isGenerated: columns.bool(row, 6),
                isExact: columns.bool(row, 7)
            )
        }
        let wanted = DoctorSQL.privileges
        let asked = [
            Parameter.textArray(wanted.map(\.table)), .textArray(wanted.map(\.privilege)),
        ]
        if let lacking = questions.ask("grants", DoctorSQL.lacking, asked) {
            for row in 0..<lacking.count {
                tables[lacking.string(row, 0) ?? ""]?.lacking.append(lacking.string(row, 1) ?? "")
            }
        }
        if let rules = questions.ask("constraints and triggers", CatalogueSQL.rules, names) {
            for row in 0..<rules.count {
                guard let kind = TableSnapshot.Rule.Kind(rawValue: rules.string(row, 1) ?? "")
                else {
                    continue
                }
                let (name, definition) = (rules.string(row, 2) ?? "", rules.string(row, 3) ?? "")
                tables[rules.string(row, 0) ?? ""]?.rules
                    .append(.init(kind: kind, name: name, definition: definition))
            }
        }
        if let policies = questions.ask("row level security", CatalogueSQL.policies, names) {
            for row in 0..<policies.count {
                tables[policies.string(row, 0) ?? ""]?.policies = policies.string(row, 1)
            }
        }
        return tables
    }
}

/// Looks for rows that Amity cannot score, where the table's own rules do not forbid them.
enum RowProbe {
    static func look(
        at snapshot: SessionSnapshot,
        asking questions: inout Questions
    ) -> RowSnapshot {
        var found = RowSnapshot()
        if snapshot.tables?["conversation_events"] != nil,
            let rows = questions.ask("rows from the future", RowSQL.future)
        {
            found.future = (rows.integer(0, 0) ?? 0, rows.double(0, 1) ?? 0)
        }
        for (what, sql) in questionsAbout(snapshot) {
            guard let rows = questions.ask(what, sql), let count = rows.integer(0, 0) else {
                continue
            }
            if count > 0 { found.odd.append((what, count)) }
        }
        return found
    }

    private static func questionsAbout(_ snapshot: SessionSnapshot) -> [(String, String)] {
        var asked: [(String, String)] = []
        let (events, friendships) = ("conversation_events", "friendship_status")
        let nullable = [(events, "status"), (events, "user_id"), (friendships, "friendship_score")]
        for (table, column) in nullable
        where snapshot.tables?[table]?.columns[column]?.isNullable == true {
            asked.append(
                ("\(table) with \(column) NULL", RowSQL.null(column, in: table))
            )
        }
        for (table, column) in [(events, "conversation_id"), (friendships, "user_id")]
        where snapshot.tables?[table] != nil && !snapshot.hasKey(column, of: table) {
            asked.append(
                (
                    "values of \(table).\(column) in more than one row",
                    RowSQL.double(column, in: table)
                )
            )
        }
        if snapshot.tables?[friendships] != nil {
            asked.append(
                (
                    "friendships whose score is no number",
                    RowSQL.notANumber("friendship_score", in: friendships)
                )
            )
        }
        return asked
    }
}

extension SessionSnapshot {
    /// Whether no two rows can have the same value there; false also where indexes could not be
    /// seen.
    func hasKey(_ column: String, of table: String) -> Bool { hasKey([column], of: table) }

    func hasKey(_ columns: [String], of table: String) -> Bool {
        let wanted = Set(columns)
        return indexes?.contains { index in
            index.isKey && index.table == table
                && Set(index.columns.components(separatedBy: ", ")) == wanted
        } ?? false
    }
}
