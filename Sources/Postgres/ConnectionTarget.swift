import CPostgres
import Glibc

/// Where the database is and who we are there, as libpq's keywords. Holds the password: never log.
package struct ConnectionTarget: Sendable {
    package let keywords: [String: String]
    let hosts: DatabaseHosts
    /// The setting that the password came from, for error texts; nil where libpq finds one itself.
    package var passwordOrigin: String?
    /// Reads user and password again for each session; nil where they cannot change. What it throws
    /// names the setting, and is safe to log.
    package var renewCredentials: (@Sendable () throws -> Credentials)?

    /// A setting that each transaction of its sessions is given, and no session: a pooler may give
    /// each transaction another server. nil for none.
    package var localSetting: LocalSetting?

    package struct LocalSetting: Sendable {
        package var name: String
        package var value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    package struct Credentials: Sendable {
        package var user: String?
        package var password: String?

        package init(user: String?, password: String?) {
            self.user = user
            self.password = password
        }
    }

    package init(keywords: [String: String]) {
        self.keywords = keywords
        hosts = DatabaseHosts(keywords)
    }

    /// Reads a URL (or a keyword string) the way libpq does.
    ///
    /// Also takes the names SQLAlchemy gives drivers, as in `postgresql+asyncpg://…`.
    ///
    /// - Returns: nil when libpq cannot read it. Its own words could quote the password.
    package init?(url: String) {
        var url = url
        if let scheme = url.prefixMatch(of: /postgres(ql)?\+[a-z0-9_]+:/) {
            url.replaceSubrange(scheme.range, with: "postgresql:")
        }
        guard let options = PQconninfoParse(url, nil) else { return nil }
        defer { PQconninfoFree(options) }
        var keywords: [String: String] = [:]
        Self.forEach(options) { keywords[$0] = $1 }
        self.init(keywords: keywords)
    }

    /// Whether to pass over servers that only read: several hosts are named, of which one is the
    /// primary now, and nothing else is asked for.
    var isReadWriteWanted: Bool {
        hosts.count > 1 && keywords["target_session_attrs"] == nil
            && getenv("PGTARGETSESSIONATTRS") == nil
    }

    /// The same place for one of its hosts.
    package func with(_ others: [String: String]) -> ConnectionTarget {
        var copy = ConnectionTarget(keywords: keywords.merging(others) { $1 })
        copy.passwordOrigin = passwordOrigin
        copy.renewCredentials = renewCredentials
        copy.localSetting = localSetting
        return copy
    }

    /// The keywords that this libpq knows.
    package static let known: Set<String> = {
        guard let options = PQconninfoParse("", nil) else { return [] }
        defer { PQconninfoFree(options) }
        var known: Set<String> = []
        forEach(options) { name, _ in known.insert(name) }
        return known
    }()

    /// The keywords for a session that opens now.
    func current() throws(PostgresError) -> [String: String] {
        guard let renewCredentials else { return keywords }
        do {
            let credentials = try renewCredentials()
            var current = keywords
            current["user"] = credentials.user
            current["password"] = credentials.password
            return current
        } catch {
            throw .link("\(error)", during: "connect")
        }
    }

    private static func forEach(
        _ options: UnsafeMutablePointer<PQconninfoOption>,
        _ body: (String, String?) -> Void
    ) {
        var option = options
        while let keyword = option.pointee.keyword {
            body(String(cString: keyword), option.pointee.val.map { String(cString: $0) })
            option += 1
        }
    }
}
