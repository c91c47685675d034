import Postgres

/// What a statement of a step makes, read from its SQL, so that it is written down once.
enum SchemaObject {
    struct Column: Equatable {
        let name: String
        /// As it stands behind the name: type, NOT NULL, DEFAULT.
        let definition: String
    }

    case table(name: String, columns: [Column], key: [String], isUnlogged: Bool)
    case columns([Column], table: String)
    case index(name: String, table: String)
    /// By its name and the types of its arguments.
    case function(signature: String)
    case trigger(name: String, table: String)

    /// nil for a statement of another form.
    init?(_ sql: String) {
        guard
            let made = Self.table(sql) ?? Self.columns(sql) ?? Self.index(sql)
                ?? Self.function(sql) ?? Self.trigger(sql)
        else { return nil }
        self = made
    }

    private static func table(_ sql: String) -> SchemaObject? {
        guard
            let head = sql.prefixMatch(
                of: /CREATE (?<unlogged>UNLOGGED )?TABLE (?:IF NOT EXISTS )?(?<name>\w+) \(/
            )
        else { return nil }
        var columns: [Column] = []
        var key: [String] = []
        for item in items(sql[head.range.upperBound...]) {
            if let listed = item.prefixMatch(of: /PRIMARY KEY \((?<columns>[\w, ]+)\)/) {
                key = listed.columns.split(separator: ",").map { $0.filter { $0 != " " } }
            } else if item.prefixMatch(of: /(?:UNIQUE|CHECK|CONSTRAINT|FOREIGN KEY)\b/) == nil,
                let column = column(item)
            {
                columns.append(column)
                if column.definition.contains("PRIMARY KEY") { key = [column.name] }
            }
        }
        return .table(
            name: String(head.name),
            columns: columns,
            key: key,
            isUnlogged: head.unlogged != nil
        )
    }

    private static func columns(_ sql: String) -> SchemaObject? {
        guard let head = sql.prefixMatch(of: /ALTER TABLE (?:IF EXISTS )?(?<name>\w+)\s+/) else {
            return nil
        }
        let columns = items(sql[head.range.upperBound...]).compactMap { item in
            item.prefixMatch(of: /ADD COLUMN (?:IF NOT EXISTS )?/).flatMap {
                column(String(item[$0.range.upperBound...]))
            }
        }
        return columns.isEmpty ? nil : .columns(columns, table: String(head.name))
    }

    private static func index(_ sql: String) -> SchemaObject? {
        let form =
            #/
            CREATE\ (?:UNIQUE\ )?INDEX\ (?:IF\ NOT\ EXISTS\ )?(?:(?<name>\w+)\s+)?
            ON\ (?<table>\w+)(?:\ USING\ \w+)?\s*\((?<columns>[^()]*)(?<end>[()])
            /#
        guard let found = sql.prefixMatch(of: form) else { return nil }
        if let name = found.name {
            return .index(name: String(name), table: String(found.table))
        }
        // One on an expression has to be given a name.
        if found.end == "(" { return nil }
        // The name that PostgreSQL gives one without.
        let columns = found.columns.split(separator: ",").map { $0.filter { $0 != " " } }
        let given = ([String(found.table)] + columns + ["idx"]).joined(separator: "_")
        return .index(name: given, table: String(found.table))
    }

    private static func function(_ sql: String) -> SchemaObject? {
        sql.prefixMatch(of: /CREATE FUNCTION (?<name>\w+) ?\((?<arguments>[\w, ]*)\)/).map {
            let types = $0.arguments.split(separator: ",").compactMap {
                $0.split(separator: " ").last
            }
            return .function(signature: "\($0.name)(\(types.joined(separator: ",")))")
        }
    }

    private static func trigger(_ sql: String) -> SchemaObject? {
        sql.prefixMatch(of: /CREATE TRIGGER (?<name>\w+) [A-Z ]+ (?:OF \w+ )?ON (?<table>\w+)/).map
        {
            .trigger(name: String($0.name), table: String($0.table))
        }
    }

    private static func column(_ item: String) -> Column? {
        let parts = item.split(separator: " ", maxSplits: 1)
        return parts.count == 2
            ? Column(name: String(parts[0]), definition: String(parts[1])) : nil
    }

    /// What commas part, up to the bracket that closes; each in one line.
    private static func items(_ text: Substring) -> [String] {
        var items = [""]
        var depth = 0
        for character in text {
            if character == "(" { depth += 1 }
            if character == ")" { depth -= 1 }
            if depth < 0 { break }
            if character == ",", depth == 0 {
                items.append("")
            } else {
                items[items.count - 1].append(character.isNewline ? " " : character)
            }
        }
        return items.map { $0.split(separator: " ").joined(separator: " ") }
            .filter { !$0.isEmpty }
    }
}

extension Schema {
    /// A table of Amity's own, as all steps together make it.
    package struct OwnTable {
        package let name: String
        package var columns: [String]
        package let key: [String]
        let isForTasks: Bool
        package var indexes: [String] = []
    }

    /// Those that a worker of conversations uses.
    package static let tablesOfWorkers = ownTables.filter { !$0.isForTasks }

    package static let tablesOfTasks = ownTables.filter(\.isForTasks)

    package static let ownTables = steps.flatMap { step in
        step.statements.map { (statement: $0, isForTasks: step.isForTasks) }
    }.reduce(into: [OwnTable]()) { tables, next in
        switch SchemaObject(next.statement.sql) {
        case .table(let name, let columns, let key, _):
            tables.append(
                OwnTable(
                    name: name,
                    columns: columns.map(\.name),
                    key: key,
                    isForTasks: next.isForTasks
                )
            )
        case .columns(let columns, let name):
            guard let index = tables.firstIndex(where: { $0.name == name }) else { return }
            tables[index].columns += columns.map(\.name)
        case .index(let index, let name):
            guard let place = tables.firstIndex(where: { $0.name == name }) else { return }
            tables[place].indexes.append(index)
        case .function, .trigger, nil: return
        }
    }
}
