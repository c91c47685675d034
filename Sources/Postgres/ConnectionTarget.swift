import CPostgres
import Glibc

/// Where the database is and who we are there, as libpq's keywords. Holds the password: never log.
package struct ConnectionTarget: Sendable {
    package let keywords: [String: String]

    package init(keywords: [String: String]) {
        self.keywords = keywords
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
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val {
                keywords[String(cString: keyword)] = String(cString: value)
            }
            option += 1
        }
        self.keywords = keywords
    }

    /// Whether to pass over servers that only read: several hosts are named, of which one is the primary
    /// now, and nothing else is asked for.
    var isReadWriteWanted: Bool {
        guard keywords["target_session_attrs"] == nil, getenv("PGTARGETSESSIONATTRS") == nil else {
            return false
        }
        return [keywords["host"], keywords["hostaddr"]].contains { $0?.contains(",") ?? false }
    }
}
