import Foundation
import Postgres
import Storage

/// Looks at the tables: those of the contract and Amity's own.
enum CatalogueProbe {
    /// Those that a worker needs.
    private static func names(withTasks: Bool) -> [Parameter] {
        let own = withTasks ? Schema.ownTables : Schema.tablesOfWorkers
        return [.textArray((Schema.tables.map(\.name) + own.map(\.name)) + [Schema.ledgerName])]
    }

    /// - Parameter withTasks: whether the worker takes tasks.
    static func look(
        into snapshot: inout SessionSnapshot,
        asking questions: inout Questions,
        withTasks: Bool
    ) {
        let names = names(withTasks: withTasks)
        let privileges = DoctorSQL.privileges + (withTasks ? DoctorSQL.privilegesForTasks : [])
        snapshot.path = path(to: names, asking: &questions)
        snapshot.tables = tables(names, privileges, asking: &questions)
        snapshot.indexes = questions.ask(
            "indexes",
            CatalogueSQL.indexes,
            names,
            CatalogueSQL.index
        )
    }

    private static func path(
        to names: [Parameter],
        asking questions: inout Questions
    ) -> SessionSnapshot.SearchPath? {
        let paths = questions.ask("search_path", CatalogueSQL.path, [], CatalogueSQL.path(_:))
        guard var path = paths?.first else { return nil }
        let found = questions.ask(
            "other schemas",
            SearchPathSQL.elsewhere,
            names,
            SearchPathSQL.table
        )
        for (table, schema) in found ?? [] { path.elsewhere[table, default: []].append(schema) }
        return path
    }

    private static func tables(
        _ names: [Parameter],
        _ wanted: [(table: String, privilege: String)],
        asking questions: inout Questions
    ) -> [String: TableSnapshot]? {
        let columns = questions.ask(
            "columns",
            CatalogueSQL.columns,
            names,
            CatalogueSQL.column
        )
        guard let columns else { return nil }
        var tables: [String: TableSnapshot] = [:]
        for (table, name, column) in columns {
            tables[table, default: .init(columns: [:])].columns[name] = column
        }
        let asked = [
            Parameter.textArray(wanted.map(\.table)), .textArray(wanted.map(\.privilege)),
        ]
        let lacking = questions.ask("grants", DoctorSQL.lacking, asked, DoctorSQL.lack)
        for (table, privilege) in lacking ?? [] { tables[table]?.lacking.append(privilege) }
        let rules = questions.ask(
            "constraints and triggers",
            CatalogueSQL.rules,
            names,
            CatalogueSQL.rule
        )
        for case (let table, let rule?) in rules ?? [] { tables[table]?.rules.append(rule) }
        let policies = questions.ask(
            "row level security",
            CatalogueSQL.policies,
            names,
            CatalogueSQL.policy
        )
        for (table, commands) in policies ?? [] { tables[table]?.policies = commands }
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
        if snapshot.tables?["conversation_events"] != nil {
            let what = "rows from the future"
            found.future = questions.ask(what, RowSQL.future, [], RowSQL.ahead)?.first
        }
        for (what, sql) in questionsAbout(snapshot) {
            let counts = questions.ask(what, sql, [], RowSQL.count) ?? []
            if let count = counts.first ?? nil, count > 0 { found.odd.append((what, count)) }
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
