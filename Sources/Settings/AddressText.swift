import Foundation

/// A URL of a server, read so strictly that no part of a password can be taken for another part:
/// what programs read differently (an `@`, `/`, `#` or `?` in a password) is refused. Holds the
/// password: never log.
struct AddressText {
    struct Host: Equatable {
        /// Without the brackets of an IPv6 address.
        var name: String
        var port: UInt16?
    }

    /// What is wrong, without any part of the text.
    enum Mistake: Error, Equatable {
        case noURL
        /// Several URLs where one is taken, or a `://` inside a password.
        case several
        case blank
        case unencoded
        case host

        /// To stand in brackets after "its value is not accepted".
        var reason: String {
            switch self {
            case .noURL: "it is not a URL of this kind"
            case .several: "a second :// is in it"
            case .blank: "a blank or a line break is in it"
            case .unencoded:
                "a special character in it is not percent-encoded, or a % begins no such code"
            case .host:
                "what stands where host and port belong cannot be that; perhaps a special "
                    + "character in the password is not percent-encoded"
            }
        }
    }

    /// For error texts about URLs that hold a password.
    static let encodingHint =
        "special characters of user and password percent-encoded "
        + "(@ as %40, / as %2F, : as %3A, # as %23, ? as %3F, % as %25)"

    /// In lower case.
    let scheme: String
    /// Decoded; nil where there is none.
    let user: String?
    let password: String?
    /// At least one; its name may be empty in a URL for libpq.
    let hosts: [Host]
    /// As it stands, from its first slash on; empty where there is none.
    let path: String
    /// As it stands, without its question mark.
    let query: String?

    /// - Parameter isForPostgres: with several hosts, with sockets for hosts, and with all that
    ///   libpq takes for a password.
    init(_ text: String, isForPostgres: Bool = false) throws(Mistake) {
        guard let mark = text.firstRange(of: "://") else { throw .noURL }
        scheme = text[..<mark.lowerBound].lowercased()
        let rest = text[mark.upperBound...]
        if rest.contains("://") { throw .several }
        if rest.unicodeScalars.contains(where: { $0.properties.isWhitespace || $0.value < 0x20 }) {
            throw .blank
        }
        let ends: Set<Character> = ["/", "?", "#"]
        var authority = rest
        if let at = rest.firstIndex(of: "@") {
            let isLast = !rest[rest.index(after: at)...].contains("@")
            let userInfo = rest[..<at]
            // libpq looks for the @ up to the first slash.
            let mayNotHold: Set<Character> = isForPostgres ? ["/"] : ends
            guard isLast, !userInfo.contains(where: mayNotHold.contains) else { throw .unencoded }
            let parts = userInfo.split(
                separator: ":",
                maxSplits: 1,
                omittingEmptySubsequences: false
            )
            guard !parts[0].contains(where: ends.contains) else { throw .unencoded }
            user = parts[0].isEmpty ? nil : try Self.decoded(parts[0])
            password = parts.count == 2 ? try Self.decoded(parts[1]) : nil
            authority = rest[rest.index(after: at)...]
        } else {
            (user, password) = (nil, nil)
        }
        let end = authority.firstIndex(where: ends.contains) ?? authority.endIndex
        let tail = authority[end...]
        if tail.contains("#") { throw .unencoded }
        let mark2 = tail.firstIndex(of: "?") ?? tail.endIndex
        path = String(tail[..<mark2])
        query = mark2 == tail.endIndex ? nil : String(tail[tail.index(after: mark2)...])
        _ = try Self.decoded(path[...])
        let names = authority[..<end].split(
            separator: isForPostgres ? "," : "\n",
            omittingEmptySubsequences: false
        )
        var hosts: [Host] = []
        for name in names {
            guard let host = Self.host(String(name), mayBeSocket: isForPostgres) else {
                throw .host
            }
            hosts.append(host)
        }
        self.hosts = hosts
    }

    /// The path without its first slash, decoded.
    var decodedPath: String { path.dropFirst().removingPercentEncoding ?? "" }

    /// Without user, password and query, and without a slash at its end; of a URL with one host.
    var plainURL: String {
        let host = hosts[0].name
        let port = hosts[0].port.map { ":\($0)" } ?? ""
        let ending = path.reversed().prefix { $0 == "/" }.count
        return
            "\(scheme)://\(host.contains(":") ? "[\(host)]" : host)\(port)\(path.dropLast(ending))"
    }

    private static func decoded(_ text: Substring) throws(Mistake) -> String {
        guard text.firstMatch(of: /%(?![0-9A-Fa-f]{2})/) == nil,
            let decoded = text.removingPercentEncoding, !decoded.contains("\0")
        else { throw .unencoded }
        return decoded
    }

    // MARK: Hosts

    /// `host`, `host:port`, `[IPv6]:port`, or an IPv6 address alone.
    ///
    /// - Returns: nil for what is none of these.
    static func host(_ text: String, mayBeSocket: Bool = false) -> Host? {
        if text.filter({ $0 == ":" }).count > 1, !text.hasPrefix("[") {
            return isHost(text) ? Host(name: text, port: nil) : nil
        }
        var (name, rest) = (text[...], Substring())
        if let bracket = text.firstIndex(of: "]"), text.hasPrefix("[") {
            name = text[..<bracket].dropFirst()
            rest = text[bracket...].dropFirst()
            guard name.contains(":"), rest.isEmpty || rest.hasPrefix(":") else { return nil }
        } else if let colon = text.firstIndex(of: ":") {
            (name, rest) = (text[..<colon], text[colon...])
        }
        let digits = rest.dropFirst()
        let port = digits.isEmpty ? nil : UInt16(digits)
        guard digits.isEmpty || (port ?? 0) > 0, digits.allSatisfy(\.isNumber) else { return nil }
        guard let decoded = name.removingPercentEncoding else { return nil }
        let isFine =
            isHost(decoded) || (mayBeSocket && (decoded.isEmpty || isSocket(decoded)))
        return isFine ? Host(name: decoded, port: port) : nil
    }

    /// Whether a text looks like a host's name or address, so that it can be shown.
    static func isHost(_ text: String) -> Bool {
        if text.contains(":") {
            // With a zone, as in fe80::1%eth0.
            let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
            return Loopback.address(String(parts[0]), AF_INET6, 16) != nil
                && (parts.count == 1 || parts[1].wholeMatch(of: /[A-Za-z0-9._-]+/) != nil)
        }
        return text.utf8.count < 256 && text.wholeMatch(of: /[A-Za-z0-9_.-]+/) != nil
    }

    /// Whether a text is a folder, or an abstract name, of sockets.
    static func isSocket(_ text: String) -> Bool {
        text.wholeMatch(of: /@?[A-Za-z0-9_.\/-]+/) != nil
            && (text.hasPrefix("/") || text.hasPrefix("@"))
    }
}

extension String {
    /// Whether a name holds what only a whole address holds: then it may hold a password as well,
    /// and is never shown.
    var holdsAddress: Bool { contains("://") || contains("@") }

    /// The same for the name of a user, where `name@realm` is usual.
    var holdsAddressBesideRealm: Bool { contains("://") || (contains("@") && contains(":")) }
}
