import Storage

/// The contract's tables, and Amity's own.
struct TablesCheck: Check {
    let name = "schema"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard let session = seen.database.session, let tables = session.tables else { return [] }
        if let path = session.path, path.schema == nil {
            return [
                .error(
                    "\(MigrationError.noSchema(path: path.text, role: session.role))",
                    by: .database
                )
            ]
        }
        let absent = Schema.tables.map(\.name).filter { tables[$0] == nil }
        var findings = absence(of: absent, session).map { Finding.error($0, by: .database) }
        for table in Schema.tables {
            if let found = tables[table.name] { findings += judge(found, table) }
        }
        findings += own(tables, session)
        if seen.options.takesTasks { findings += ofTasks(tables, session) }
        return findings.isEmpty ? [.ok("tables and columns are there", by: .database)] : findings
    }

    private func absence(of tables: [String], _ session: SessionSnapshot) -> [String] {
        let elsewhere = session.path?.elsewhere ?? [:]
        let missing = tables.filter { elsewhere[$0] == nil }
        var texts: [String] = []
        if !missing.isEmpty {
            texts.append("missing: table \(missing.joined(separator: ", ")): run amity migrate")
        }
        let hidden = tables.filter { elsewhere[$0] != nil }
        if !hidden.isEmpty {
            let schemas = Array(Set(hidden.flatMap { elsewhere[$0] ?? [] })).sorted()
            let shown =
                schemas.prefix(3).joined(separator: ", ") + (schemas.count > 3 ? ", …" : "")
            texts.append(
                """
                the search_path of \(session.role) does not lead to \
                \(hidden.joined(separator: ", ")), which schema \(shown) has. \
                \(MigrationError.way(to: schemas)), and see that the role has USAGE on it
                """
            )
        }
        return texts
    }

    private func judge(_ found: TableSnapshot, _ table: Schema.Table) -> [Finding] {
        var findings: [Finding] = []
        let missing = table.columns.filter { found.columns[$0] == nil }
        if !missing.isEmpty {
            findings.append(
                .error(
                    """
                    table \(table.name) lacks \(missing.joined(separator: ", ")): add them as the \
                    service that owns it does
                    """,
                    by: .database
                )
            )
        }
        for column in table.columns {
            guard let type = found.columns[column]?.type, let wanted = Self.types[column],
                !wanted.contains(type)
            else { continue }
            findings.append(
                .error(
                    "\(table.name).\(column) is \(type), not \(wanted.joined(separator: " or ")): "
                        + "statements fail or numbers are cut; alter it",
                    by: .database
                )
            )
        }
        return findings
    }

    // MARK: Amity's own

    /// What of them is missing, and what is wrong with the others.
    private func loss(
        of own: [Schema.OwnTable],
        _ tables: [String: TableSnapshot],
        _ session: SessionSnapshot
    ) -> (lost: [String], findings: [Finding]) {
        var lost: [String] = []
        var findings: [Finding] = []
        for table in own {
            guard let found = tables[table.name] else {
                lost.append(table.name)
                continue
            }
            let missing = table.columns.filter { found.columns[$0] == nil }
            let keys = missing.filter(table.key.contains)
            if !keys.isEmpty {
                let error = MigrationError.notOurs(
                    table: table.name,
                    lacks: keys.joined(separator: ", ")
                )
                findings.append(.warning("\(error)", by: .database))
                continue
            }
            lost += missing.map { "\(table.name).\($0)" }
            guard let indexes = session.indexes else { continue }
            if !session.hasKey(table.key, of: table.name) {
                lost.append("the primary key of \(table.name)")
            }
            let names = Set(indexes.map(\.name))
            lost += table.indexes.filter { !names.contains($0) }
        }
        return (lost, findings)
    }

    private func ofTasks(
        _ tables: [String: TableSnapshot],
        _ session: SessionSnapshot
    ) -> [Finding] {
        let (lost, findings) = loss(of: Schema.tablesOfTasks, tables, session)
        if lost.isEmpty { return findings }
        let text = """
            TASK_QUEUES is set, and of what tasks need there is missing: \
            \(lost.joined(separator: ", ")): run amity migrate
            """
        return findings + [.error(text, by: .database)]
    }

    private func own(_ tables: [String: TableSnapshot], _ session: SessionSnapshot) -> [Finding] {
        var (lost, findings) = loss(of: Schema.tablesOfWorkers, tables, session)
        if !lost.isEmpty {
            findings.append(
                .warning(
                    """
                    of Amity's own tables there is missing: \(lost.joined(separator: ", ")), so \
                    what it is for is off: run amity migrate
                    """,
                    by: .database
                )
            )
        } else if tables[Schema.ledgerName] == nil {
            findings.append(
                .note(
                    """
                    the record of what amity migrate has done, \(Schema.ledgerName), is missing: \
                    run it again, it finds what is there
                    """,
                    by: .database
                )
            )
        }
        return findings
    }

    private static let text = ["character varying", "text"]
    private static let time = ["timestamp with time zone", "timestamp without time zone"]
    private static let number = ["integer", "bigint"]

    /// Columns of one name have one type in all tables.
    static let types: [String: [String]] = [
        "id": number, "conversation_id": text, "user_id": text + ["citext"], "bot_type": text,
        "bot_id": text,
        "agent_tag": text, "created_at": time,
        "conversation_log": ["jsonb"], "status": text, "attempt_count": number,
        "next_attempt_at": time, "processed_at": time, "error_code": text, "error_details": text,
        "friendship_score_change": ["double precision"], "new_friendship_level": text,
        "score_calculation_details": ["jsonb"], "updated_at": time,
        "friendship_score": ["double precision"], "friendship_level": text,
        "last_interaction_date": time, "topic_metrics": ["jsonb"], "topic_id": text,
        "agent_id": text,
    ]
}

struct GrantsCheck: Check {
    let name = "grants"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard let session = seen.database.session, let tables = session.tables else { return [] }
        let own = Set(Schema.tablesOfWorkers.map(\.name))
        let tasks = Set(Schema.tablesOfTasks.map(\.name))
        let findings: [Finding] = tables.sorted { $0.key < $1.key }.compactMap {
            name,
            table in
            if table.lacking.isEmpty { return nil }
            let option = tasks.contains(name) ? " with -v tasks=1" : ""
            let text = """
                role \(session.role) lacks \(table.lacking.joined(separator: ", ")) on \(name): \
                run deploy/grants.sql\(option) as its owner
                """
            return own.contains(name) ? .warning(text, by: .database) : .error(text, by: .database)
        }
        return findings.isEmpty ? [.ok("\(session.role) may do its work", by: .database)] : findings
    }
}
