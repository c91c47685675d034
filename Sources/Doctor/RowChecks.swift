/// Rows that cannot be scored, or were written by a clock of another time zone.
struct RowsCheck: Check {
    let name = "rows"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard let session = seen.database.session, session.tables != nil else { return [] }
        var findings: [Finding] = session.rows.odd.map { odd in
            let count = odd.rows >= 1000 ? "1000 or more" : "\(odd.rows)"
            return .warning(
                "\(count) \(odd.what): they are scored wrongly, or not at all; correct them",
                by: .database
            )
        }
        if let future = session.rows.future, future.rows > 0 {
            findings.append(
                .warning(
                    """
                    \(future.rows) of the latest conversations have times from the future, by up \
                    to \(time(future.seconds)): columns without a zone hold UTC, so those who \
                    write them have to set TimeZone=UTC
                    """,
                    by: .database
                )
            )
        }
        return findings.isEmpty ? [.ok("none is odd", by: .database)] : findings
    }

    private func time(_ seconds: Double) -> String {
        let minutes = Int((seconds / 60).rounded())
        return minutes < 60 ? "\(minutes) min" : "\(minutes / 60) h \(minutes % 60) min"
    }
}

/// What the Python service's indexes cost; nothing alters them.
///
/// Each score writes an entry into every index of `conversation_events`, for its row moves.
/// Measured, PostgreSQL 15, batches of 100, logs of 20 items (2.3 kB), the least of three, with the
/// index and without. GIN over a log takes 55 µs; all the rest takes PostgreSQL about as long.
struct IndexesCheck: Check {
    let name = "indexes"
    /// For a conversation, by columns.
    private static let microseconds = [
        "status": 0.9, "next_attempt_at": 0.7, "status, next_attempt_at": 1.2, "user_id": 2.5,
        "created_at": 0.9, "bot_type": 1.1, "bot_id": 1.3, "friendship_score": 1.0,
        "friendship_level": 0.8, "updated_at": 1.0, "last_interaction_date": 0.6,
    ]

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard let session = seen.database.session else { return [] }
        guard let all = session.indexes else { return [] }
        let events = all.filter { $0.table == "conversation_events" }
        let logs = events.filter {
            $0.method == "gin"
                && ["conversation_log", "raw_conversation_log"].contains($0.columns)
        }
        let friendships = all.filter { index in
            index.table == "friendship_status"
                && ["friendship_score", "friendship_level", "updated_at", "last_interaction_date"]
                    .contains { index.columns.hasPrefix($0) }
        }
        var findings: [Finding] = []
        if !logs.isEmpty {
            findings.append(
                .note(
                    """
                    GIN indexes on conversation logs, \(list(logs)), cost about 55 µs a \
                    conversation each, as much as all the rest of it: drop them unless logs are \
                    searched
                    """,
                    by: .database
                )
            )
        }
        if !friendships.isEmpty {
            findings.append(
                .note(
                    """
                    indexes on what every score changes make each update move its row, and each \
                    score take \(costs(friendships)): drop those that no query uses
                    """,
                    by: .database
                )
            )
        }
        let others = events.filter { $0.method == "btree" && !$0.isKey }
        if !others.isEmpty {
            findings.append(
                .ok("each score takes \(costs(others))", by: .database)
            )
        }
        return findings.isEmpty ? [.ok("none costs much", by: .database)] : findings
    }

    private func costs(_ indexes: [SessionSnapshot.Index]) -> String {
        indexes.map { index in
            let columns = index.columns.replacing(" DESC", with: "")
            let cost = Self.microseconds[columns].map { "\($0)" } ?? "1 to 3"
            return "\(cost) µs for \(named(index))"
        }
        .joined(separator: ", ")
    }

    private func list(_ indexes: [SessionSnapshot.Index]) -> String {
        indexes.map(named).joined(separator: ", ")
    }

    private func named(_ index: SessionSnapshot.Index) -> String {
        "\(index.name) (\(index.bytes >> 10) kB)"
    }
}
