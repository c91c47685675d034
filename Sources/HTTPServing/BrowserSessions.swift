import Digests
import Foundation
import Hummingbird

/// What a browser sends instead of the token after a login: a text that only a holder of the token
/// can make, in a cookie that scripts cannot read.
///
/// No worker stores it. So all workers with one token accept it, also after a restart: several
/// workers may share a host name, and a browser has one cookie for all ports of a host. A new token
/// ends every session; logging out removes the cookie from its browser.
package struct BrowserSessions: Sendable {
    private static let name = "amity_session"
    /// Seconds. Chosen: a night shift.
    package static let lifetime = 12 * 3600

    private let key: [UInt8]

    package init(token: String) {
        key = Digest.hmac("amity browser session".utf8, key: token.utf8)
    }

    /// Whether a session came with it that has not ended.
    package func admit(_ request: Request, at now: Date = Date()) -> Bool {
        guard let session = request.cookies[Self.name]?.value else { return false }
        let parts = session.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3,
            Digest.areEqual(parts[2].utf8, sign("\(parts[0]).\(parts[1])").utf8),
            let end = Double(parts[0])
        else { return false }
        return now.timeIntervalSince1970 < end
    }

    /// - Returns: the cookie of a session that begins now.
    package func begin(for request: Request, at now: Date = Date()) -> Cookie {
        var random = SystemRandomNumberGenerator()
        let end = Int(now.timeIntervalSince1970) + Self.lifetime
        let claim = "\(end).\(String(random.next(), radix: 36))"
        return Self.cookie("\(claim).\(sign(claim))", seconds: Self.lifetime, request)
    }

    /// - Returns: the cookie that takes a session from its browser.
    package func end(for request: Request) -> Cookie { Self.cookie("", seconds: 0, request) }

    private func sign(_ claim: String) -> String {
        Digest.hmac(claim.utf8, key: key).hexadecimal
    }

    private static func cookie(_ value: String, seconds: Int, _ request: Request) -> Cookie {
        // Set by a proxy that encrypts. A client that forges it gets a less useful cookie, no more.
        let isEncrypted = request.headers.forwardedProtocol?.lowercased() == "https"
        return Cookie(
            name: name,
            value: value,
            maxAge: seconds,
            path: "/",
            secure: isEncrypted,
            httpOnly: true,
            sameSite: .strict
        )
    }
}
