/// The Python service's worker and its six-hour job read, add and write: next to them scores are
/// wrong.
struct RivalsCheck: Check {
    let name = "rival-writer"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        var findings: [Finding] = []
        if case .seen(let report) = seen.management {
            findings += report.consumers.filter { !$0.isAmity }.map { consumer in
                .error(
                    """
                    \(consumer.connection), no Amity, consumes \
                    \(seen.options.topology.names.main), too: stop it (the Python worker and its \
                    six-hour job corrupt scores next to others)
                    """,
                    by: .management
                )
            }
        }
        guard let session = seen.database.session else { return findings }
        findings += session.rivals.map { rival in
            .error(
                """
                \(rival), no Amity, changes friendships, too: stop the Python worker and its \
                six-hour job
                """,
                by: .database
            )
        }
        // Chosen: one user can come to twice the sum by chance.
        if session.doubled.users >= 3, session.doubled.users * 2 >= session.doubled.of {
            findings.append(
                .warning(
                    """
                    \(session.doubled.users) of \(session.doubled.of) users who came since \
                    yesterday have twice what their conversations brought, as the Python worker \
                    counts: see that it is stopped
                    """,
                    by: .database
                )
            )
        }
        return findings.isEmpty
            ? [.ok("no other program was seen to write", by: .database)] : findings
    }
}
