import Glibc
import Postgres
import Settings

struct DatabaseReachableCheck: Check {
    let name = "database"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        let servers = seen.database.servers
        // What mixes up statements is the check of poolers to say.
        let failed = servers.filter { $0.failure != nil && !$0.mixesStatements }
        if failed.isEmpty { return [.ok("every address lets us in", by: .database)] }
        return failed.map { server in
            let text = "\(server.address): \(server.failure ?? "")"
            if text.contains("unsupported startup parameter") {
                return .error(
                    """
                    \(text): that is a pooler that drops what sessions ask for; connect workers to \
                    PostgreSQL itself
                    """,
                    by: .database
                )
            }
            if server.isConnected {
                return .error(
                    "\(text), though it let us in: a pooler whose pool has no place left "
                        + "(default_pool_size, max_db_connections), or a server that hangs",
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

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard let version = seen.database.session?.version else { return [] }
        let shown = "PostgreSQL \(version / 10_000).\(version % 10_000)"
        if version >= 120_000 { return [.ok(shown, by: .database)] }
        return [.error("\(shown) is too old: 12 is the least", by: .database)]
    }
}

struct DatabaseEncryptionCheck: Check {
    let name = "database-tls"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard let session = seen.database.session else { return [] }
        let keywords = seen.options.database.keywords
        let hosts = seen.options.database.hosts
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
                    """
                    the link to \(distant) is encrypted, but with sslmode=\(mode) another server \
                    may pose as the database: use verify-full
                    """,
                    by: .settings
                )
            ]
        }
        return [.ok("the link is encrypted", by: .database)]
    }
}

struct DatabaseWritableCheck: Check {
    let name = "database-writable"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard let session = seen.database.session else { return [] }
        let standbys = seen.database.servers.filter { $0.isStandby == true }.map(\.address)
        let primaries = seen.database.servers.filter { $0.isStandby == false }.map(\.address)
        let list = standbys.joined(separator: ", ")
        if session.isStandby {
            let text =
                standbys.count > 1
                ? "\(list) are standbys, and none of the addresses is the primary's"
                : "\(list) is a standby, which is read-only"
            return [
                .error(
                    "\(text): workers wait; name the primary in DATABASE_URL, or every host",
                    by: .database
                )
            ]
        }
        if session.isReadOnlyByDefault {
            return [
                .error(
                    """
                    it is read-only for \(session.role) (default_transaction_read_only): workers \
                    wait; ALTER ROLE … RESET default_transaction_read_only, or the same of the \
                    database or the server
                    """,
                    by: .database
                )
            ]
        }
        if standbys.isEmpty { return [.ok("it takes writes", by: .database)] }
        let roles = "\(primaries.joined(separator: ", ")) is the primary, \(list) a standby"
        if seen.options.database.findsPrimary { return [.ok(roles, by: .database)] }
        return [
            .error(
                "\(roles): workers may take the standby; add target_session_attrs=read-write",
                by: .settings
            )
        ]
    }
}

extension ConnectionTarget {
    /// Whether sessions pass over hosts that take no writes: so they do where several are named and
    /// nothing else is asked for.
    fileprivate var findsPrimary: Bool {
        let asked =
            keywords["target_session_attrs"]
            ?? getenv("PGTARGETSESSIONATTRS").map { String(cString: $0) }
        return asked.map(["read-write", "primary"].contains) ?? true
    }
}
