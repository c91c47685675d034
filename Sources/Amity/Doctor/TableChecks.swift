/// The contract's tables, and Amity's own.
struct TablesCheck: Check {
    let name = "schema"

    func findings(in seen: Sight) -> [Finding] {
        guard let session = seen.database.session else { return [] }
        var findings: [Finding] = []
        for table in Schema.tables {
            guard let found = session.tables[table.name] else {
                findings.append(
                    .error(
                        "table \(table.name) is missing, or not in the search_path of \(session.role): "
                            + "run amity migrate",
                        by: .database
                    )
                )
                continue
            }
            findings += judge(found, table)
        }
        let missing = Schema.ownTables.filter { session.tables[$0] == nil }
        if !missing.isEmpty {
            findings.append(
                .warning(
                    "Amity's own tables are missing, \(missing.joined(separator: ", ")), so what they are "
                        + "for is off: run amity migrate",
                    by: .database
                )
            )
        }
        return findings.isEmpty ? [.ok("tables and columns are there", by: .database)] : findings
    }

    private func judge(_ found: SessionSight.Table, _ table: Schema.Table) -> [Finding] {
        var findings: [Finding] = []
        let missing = table.columns.filter { found.columns[$0] == nil }
        if !missing.isEmpty {
            findings.append(
                .error(
                    "table \(table.name) lacks \(missing.joined(separator: ", ")): add them as the service "
                        + "that owns it does",
                    by: .database
                )
            )
        }
        for column in table.columns {
            guard let type = found.columns[column], let wanted = Self.types[column],
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

    private static let text = ["character varying", "text"]
    private static let time = ["timestamp with time zone", "timestamp without time zone"]
    private static let number = ["integer", "bigint"]

    /// Columns of one name have one type in all tables.
    static let types: [String: [String]] = [
        "id": number, "conversation_id": text, "user_id": text, "bot_type": text, "bot_id": text,
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

    func findings(in seen: Sight) -> [Finding] {
        guard let session = seen.database.session else { return [] }
        let own = Set(Schema.ownTables)
        let findings: [Finding] = session.tables.sorted { $0.key < $1.key }.compactMap {
            name,
            table in
            if table.lacking.isEmpty { return nil }
            let text = """
                role \(session.role) lacks \(table.lacking.joined(separator: ", ")) on \(name): run \
                deploy/grants.sql as its owner
                """
            return own.contains(name) ? .warning(text, by: .database) : .error(text, by: .database)
        }
        return findings.isEmpty ? [.ok("\(session.role) may do its work", by: .database)] : findings
    }
}

/// What the Python service's indexes cost; nothing alters them.
struct IndexesCheck: Check {
    let name = "indexes"

    func findings(in seen: Sight) -> [Finding] {
        guard let session = seen.database.session else { return [] }
        let logs = session.indexes.filter {
            $0.table == "conversation_events" && $0.method == "gin"
                && ["conversation_log", "raw_conversation_log"].contains($0.columns)
        }
        let friendships = session.indexes.filter { index in
            index.table == "friendship_status"
                && ["friendship_score", "friendship_level", "updated_at", "last_interaction_date"]
                    .contains { index.columns.hasPrefix($0) }
        }
        var findings: [Finding] = []
        if !logs.isEmpty {
            findings.append(
                .note(
                    "GIN indexes on conversation logs, \(list(logs)), take up to half of the throughput: "
                        + "drop them if nobody searches logs",
                    by: .database
                )
            )
        }
        if !friendships.isEmpty {
            findings.append(
                .note(
                    "indexes on what every score changes, \(list(friendships)), make each update move "
                        + "its row: drop those that nobody uses",
                    by: .database
                )
            )
        }
        return findings.isEmpty ? [.ok("none is dear", by: .database)] : findings
    }

    private func list(_ indexes: [SessionSight.Index]) -> String {
        indexes.map { "\($0.name) (\($0.bytes >> 10) kB)" }.joined(separator: ", ")
    }
}

/// The Python service's worker and its six-hour job read, add and write: next to them scores are wrong.
struct RivalsCheck: Check {
    let name = "rival-writer"

    func findings(in seen: Sight) -> [Finding] {
        var findings: [Finding] = []
        if case .seen(let report) = seen.management {
            findings += report.consumers.filter { !$0.isAmity }.map { consumer in
                .error(
                    """
                    \(consumer.connection), no Amity, consumes \(seen.settings.topology.names.main), too: \
                    stop it (the Python worker and its six-hour job corrupt scores next to others)
                    """,
                    by: .management
                )
            }
        }
        guard let session = seen.database.session else { return findings }
        findings += session.rivals.map { rival in
            .error(
                "\(rival), no Amity, changes friendships, too: stop the Python worker and its six-hour job",
                by: .database
            )
        }
        // Chosen: one user can come to twice the sum by chance.
        if session.doubled.users >= 3, session.doubled.users * 2 >= session.doubled.of {
            findings.append(
                .warning(
                    """
                    \(session.doubled.users) of \(session.doubled.of) users who came since yesterday have \
                    twice what their conversations brought, as the Python worker counts: see that it is \
                    stopped
                    """,
                    by: .database
                )
            )
        }
        return findings.isEmpty ? [.ok("nobody else was seen to write", by: .database)] : findings
    }
}
