/// Sessions ask for limits when they start, and prepare their statements once.
struct PoolerCheck: Check {
    let name = "pooler"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        if seen.database.servers.contains(where: \.mixesStatements) { return [mixing] }
        guard let session = seen.database.session else { return [] }
        switch session.pooling {
        case .none:
            return session.hasOurGuards
                ? [.ok("sessions reach PostgreSQL as they are", by: .database)] : [unguarded]
        case .byTransaction(keepsStatements: false): return [mixing]
        case .byTransaction(keepsStatements: true):
            if session.hasOurGuards {
                return [.ok("the pooler keeps prepared statements", by: .database)]
            }
            return [
                .warning(
                    """
                    the pooler keeps prepared statements, and drops the limits that a session asks \
                    for: set lock_timeout, statement_timeout and \
                    idle_in_transaction_session_timeout by ALTER ROLE
                    """,
                    by: .database
                )
            ]
        case .byStatement:
            return [
                .error(
                    """
                    the pooler gives each statement another server (pool_mode = statement), and \
                    Amity writes in transactions: set pool_mode = transaction or session
                    """,
                    by: .database
                )
            ]
        case .bySession(let places):
            let wanted = seen.options.sessionsMax
            let few: [Finding] =
                places >= wanted
                ? []
                : [
                    .error(
                        """
                        the pooler has given \(places) sessions a server, and one worker alone \
                        wants \(wanted): the others wait, and fail; raise default_pool_size, or \
                        lower DATABASE_SESSIONS_MAX
                        """,
                        by: .database
                    )
                ]
            if !session.hasOurGuards { return [unguarded] + few }
            return few.isEmpty
                ? [.ok("the pooler has a server for each session", by: .database)] : few
        }
    }

    private var mixing: Finding {
        .error(
            """
            the pooler gives each transaction another server, where the session's prepared \
            statements are not: set pool_mode = session for workers, use PgBouncer 1.21 or later \
            with max_prepared_statements, or connect workers to PostgreSQL itself
            """,
            by: .database
        )
    }

    private var unguarded: Finding {
        .error(
            """
            the limits that a session asks for when it starts (lock_timeout and more) do not \
            reach the server, the pooler ignores them: set lock_timeout, statement_timeout and \
            idle_in_transaction_session_timeout by ALTER ROLE, or connect workers to PostgreSQL \
            itself
            """,
            by: .database
        )
    }
}

/// Settings that change what a statement means.
struct SessionSettingsCheck: Check {
    let name = "session-settings"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard let session = seen.database.session else { return [] }
        var findings: [Finding] = []
        let isolation = "default_transaction_isolation"
        if session.isolation != "read committed" {
            findings.append(
                .error(
                    """
                    transactions are \(session.isolation): of two that score one user, one fails; \
                    ALTER ROLE \(session.role) SET \(isolation) = 'read committed'
                    """,
                    by: .database
                )
            )
        } else if let own = session.ownSettings[isolation], own != "read committed" {
            findings.append(
                .note("\(isolation) is \(own) for this role; workers override it", by: .database)
            )
        }
        if !["UTC", "Etc/UTC", "GMT"].contains(session.timeZone) {
            findings.append(
                .error(
                    """
                    sessions have TimeZone \(session.timeZone): columns without a zone get its \
                    times, and ages are off by hours; take it out of DATABASE_URL, PGTZ and \
                    PGOPTIONS
                    """,
                    by: .database
                )
            )
        }
        return findings.isEmpty ? [.ok("are as Amity needs them", by: .database)] : findings
    }
}

/// What the doctor could not ask, so that silence is not taken for health.
struct UnseenCheck: Check {
    let name = "database-unseen"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard let unseen = seen.database.session?.unseen, !unseen.isEmpty else { return [] }
        return [.note("not known: \(unseen.joined(separator: ", "))", by: .database)]
    }
}

struct ConnectionsCheck: Check {
    let name = "max-connections"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard let session = seen.database.session, let room = session.room else { return [] }
        // What runs now may be fewer than a deploy starts, and more than WORKER_REPLICAS says.
        let live = session.workers?.count ?? 0
        let replicas = max(seen.host.replicas ?? 1, live)
        let each = seen.options.sessionsMax
        let needed = replicas * each
        let origin = live == replicas ? " (that run now)" : ""
        let count =
            "\(replicas) worker\(replicas == 1 ? "" : "s")"
            + (seen.host.replicas == nil && live < 2 ? " (WORKER_REPLICAS is not set)" : origin)
            + " × \(each) sessions"
        let all = room.maximum - room.reserved
        let limits =
            [("max_connections", all)]
            + [("the role's limit", room.roleLimit), ("the database's limit", room.databaseLimit)]
            .compactMap { name, limit in limit.map { (name, $0) } }
        let remedy = "lower DATABASE_SESSIONS_MAX, or raise it"
        let over = limits.filter { needed > $0.1 }
        if !over.isEmpty {
            return over.map { name, limit in
                .error(
                    "\(count) are more than \(name) has room for, \(limit): \(remedy)",
                    by: .database
                )
            }
        }
        if needed > all - room.others {
            return [
                .warning(
                    """
                    \(count) and \(room.others) connections of others are more than \
                    max_connections has room for, \(all): \(remedy)
                    """,
                    by: .database
                )
            ]
        }
        return [.ok("\(count) fit into \(all)", by: .database)]
    }
}
