import Foundation

/// Where the broker's management plugin is, and who we are there. Holds the password: never log.
package struct ManagementEndpoint: Sendable, Equatable {
    /// Without user and password, and without a slash at its end.
    package let url: String
    package let username: String
    package let password: String

    init?(url: String) {
        guard var parts = URLComponents(string: url), let host = parts.host, !host.isEmpty,
            ["http", "https"].contains(parts.scheme), parts.query == nil, parts.fragment == nil
        else { return nil }
        username = parts.user ?? "guest"
        password = parts.password ?? "guest"
        (parts.user, parts.password) = (nil, nil)
        while parts.percentEncodedPath.hasSuffix("/") { parts.percentEncodedPath.removeLast() }
        guard let plain = parts.string else { return nil }
        self.url = plain
    }

    /// The value of the header of that name.
    var authorization: String {
        "Basic " + Data("\(username):\(password)".utf8).base64EncodedString()
    }

    /// A name of somebody's as one segment of a path.
    static func encoded(_ name: String) -> String {
        name.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
    }
}
