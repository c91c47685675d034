import Foundation

/// The address of the broker's management plugin, and Amity's user there. Holds the password: never
/// log.
package struct ManagementEndpoint: Sendable {
    /// Without user and password, and without a slash at its end.
    package let url: String
    package let username: String
    package let password: String
    /// Reads the endpoint again for each request; nil where it cannot change.
    var renew: (@Sendable () throws -> ManagementEndpoint)?

    init(_ parts: AddressText) throws(AddressText.Mistake) {
        guard ["http", "https"].contains(parts.scheme), parts.query == nil else { throw .noURL }
        username = parts.user ?? "guest"
        password = parts.password ?? "guest"
        url = parts.plainURL
    }

    /// The value of the header of that name, for a request that is made now.
    ///
    /// - Throws: what is wrong with the file that holds user and password, safe to log.
    package func authorization() throws -> String {
        let now = try renew?() ?? self
        return "Basic " + Data("\(now.username):\(now.password)".utf8).base64EncodedString()
    }

    /// Percent-encodes any name as one segment of a path.
    package static func encoded(_ name: String) -> String {
        name.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
    }
}
