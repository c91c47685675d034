struct DatabaseReachableCheck: Check {
    let name = "database"

    func findings(in seen: Sight) -> [Finding] {
        let servers = seen.database.servers
        let failed = servers.filter { $0.failure != nil }
        if failed.isEmpty { return [.ok("every address lets us in", by: .database)] }
        return failed.map { server in
            let text = "\(server.address): \(server.failure ?? "")"
            if text.contains("unsupported startup parameter") {
                return .error(
                    "\(text): that is a pooler that drops what sessions ask for; connect workers to "
                        + "PostgreSQL itself",
                    by: .database
                )
            }
            return failed.count < servers.count
                ? .warning("\(text); workers use the other addresses", by: .database)
                : .error("\(text); nothing is scored", by: .database)
        }
    }
}

struct DatabaseVersionCheck: Check {
    let name = "database-version"

    func findings(in seen: Sight) -> [Finding] {
        guard let version = seen.database.session?.version else { return [] }
        let shown = "PostgreSQL \(version / 10_000).\(version % 10_000)"
        if version >= 120_000 { return [.ok(shown, by: .database)] }
        return [.error("\(shown) is too old: 12 is the least", by: .database)]
    }
}

struct DatabaseEncryptionCheck: Check {
    let name = "database-tls"

    func findings(in seen: Sight) -> [Finding] {
        guard let session = seen.database.session else { return [] }
        let keywords = seen.settings.database.keywords
        let hosts = seen.settings.database.hosts
        let distant = hosts.filter { !Loopback.containsSocketOr($0) }.joined(separator: ", ")
        if distant.isEmpty { return [.ok("the link does not cross a network", by: .settings)] }
        if !session.isEncrypted {
            return [
                .warning(
                    "conversations cross the network to \(distant) in the clear: use "
                        + "sslmode=verify-full",
                    by: .database
                )
            ]
        }
        // PGSSLMODE is libpq's own, and does not show here.
        if let mode = keywords["sslmode"], mode != "verify-full" {
            return [
                .note(
                    "the link to \(distant) is encrypted, but with sslmode=\(mode) anybody may pose as "
                        + "the database: use verify-full",
                    by: .settings
                )
            ]
        }
        return [.ok("the link is encrypted", by: .database)]
    }
}

struct DatabaseWritableCheck: Check {
    let name = "database-writable"

    func findings(in seen: Sight) -> [Finding] {
        guard let session = seen.database.session else { return [] }
        if !session.isReadOnly { return [.ok("it takes writes", by: .database)] }
        return [
            .error(
                "it is read-only, a standby perhaps: workers wait; name the primary, or add "
                    + "target_session_attrs=read-write to DATABASE_URL",
                by: .database
            )
        ]
    }
}

/// Sessions ask for limits when they start, and prepare their statements once.
struct PoolerCheck: Check {
    let name = "pooler"

    func findings(in seen: Sight) -> [Finding] {
        guard let session = seen.database.session else { return [] }
        switch session.pooling {
        case .byTransaction:
            return [
                .error(
                    """
                    a pooler gives each transaction another server, where the session's prepared \
                    statements and limits are not: connect workers to PostgreSQL itself, or set \
                    pool_mode = session for them
                    """,
                    by: .database
                )
            ]
        case .bySession, .none:
            if !session.hasOurGuards {
                return [
                    .error(
                        """
                        the limits that a session asks for when it starts (lock_timeout and more) do not \
                        reach the server, a pooler ignores them: connect workers to PostgreSQL itself
                        """,
                        by: .database
                    )
                ]
            }
            return [.ok("sessions reach PostgreSQL as they are", by: .database)]
        }
    }
}

struct ConnectionsCheck: Check {
    let name = "max-connections"

    func findings(in seen: Sight) -> [Finding] {
        guard let session = seen.database.session else { return [] }
        let room = session.room
        // What runs now may be fewer than a deploy starts, and more than somebody has written down.
        let live = session.liveWorkers ?? 0
        let replicas = max(seen.host.replicas ?? 1, live)
        let each = seen.settings.databaseSessionsMax
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
                    "\(count) and \(room.others) connections of others are more than max_connections "
                        + "has room for, \(all): \(remedy)",
                    by: .database
                )
            ]
        }
        return [.ok("\(count) fit into \(all)", by: .database)]
    }
}
