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
struct IndexesCheck: Check {
    let name = "indexes"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard let session = seen.database.session else { return [] }
        guard let all = session.indexes else { return [] }
        let logs = all.filter {
            $0.table == "conversation_events" && $0.method == "gin"
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
                    GIN indexes on conversation logs, \(list(logs)), take up to half of the \
                    throughput: drop them unless logs are searched
                    """,
                    by: .database
                )
            )
        }
        if !friendships.isEmpty {
            findings.append(
                .note(
                    """
                    indexes on what every score changes, \(list(friendships)), make each update \
                    move its row: drop those that no query uses
                    """,
                    by: .database
                )
            )
        }
        return findings.isEmpty ? [.ok("none costs much", by: .database)] : findings
    }

    private func list(_ indexes: [SessionSnapshot.Index]) -> String {
        indexes.map { "\($0.name) (\($0.bytes >> 10) kB)" }.joined(separator: ", ")
    }
}
