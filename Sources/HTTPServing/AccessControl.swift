import Digests
import Hummingbird

/// Where there is a token, admits requests with the token or with a login session; otherwise
/// requests whose Host header names this machine.
///
/// A browser sends its cookies, and reaches this machine, for other sites' pages as well. So a
/// request that changes something must carry the token itself or come from Amity's own page.
package struct AccessControl: Sendable {
    private enum Pass {
        case token
        /// A cookie, or a Host header that names this machine: a browser sends either by itself.
        case unasked
    }

    /// Of the token; nil where there is none.
    private let digest: [UInt8]?
    /// Of a token that reads metrics and nothing else; nil where there is none.
    private let metricsDigest: [UInt8]?
    private let isOwnHost: @Sendable (String) -> Bool
    private let checksIntent: Bool
    /// nil where there is no login.
    package let sessions: BrowserSessions?

    /// - Parameters:
    ///   - token: required of clients; nil where only the Host header is checked.
    ///   - metricsToken: lets Prometheus read the metrics, besides.
    ///   - hasLogin: whether a browser may log in with the token, and needs it no more.
    ///   - checksIntent: whether what changes something needs the header X-Amity-Request without
    ///     the token; false where every such route takes nothing but JSON, which no other site's
    ///     page can send unasked.
    ///   - isOwnHost: whether a host, without its port and brackets, is this machine.
    package init(
        token: String?,
        metricsToken: String? = nil,
        hasLogin: Bool,
        checksIntent: Bool = true,
        isOwnHost: @escaping @Sendable (String) -> Bool
    ) {
        self.checksIntent = checksIntent
        digest = token.map { Digest.sha256($0.utf8) }
        metricsDigest = metricsToken.map { Digest.sha256($0.utf8) }
        sessions = hasLogin ? token.map(BrowserSessions.init) : nil
        self.isOwnHost = isOwnHost
    }

    package var hasToken: Bool { digest != nil }

    /// - Throws: the answer to a request that is not admitted.
    func check(_ request: Request) throws(HTTPError) {
        switch pass(of: request) {
        case .token: return
        case .unasked: if checksIntent { try checkIntent(of: request) }
        case nil:
            guard hasToken else {
                throw HTTPError(.forbidden, message: "the Host header must name this machine")
            }
            throw HTTPError(
                .unauthorized,
                headers: [.wwwAuthenticate: "Bearer realm=\"amity\""],
                message: "a bearer token is needed"
            )
        }
    }

    /// Whether this request may read what is guarded.
    package func admits(_ request: Request) -> Bool { pass(of: request) != nil }

    /// Not needed for a request that carries the token itself.
    private func checkIntent(of request: Request) throws(HTTPError) {
        if request.method == .get || request.method == .head { return }
        guard isFromOwnPage(request), request.headers.amityRequest != nil else {
            throw HTTPError(
                .forbidden,
                message: "send the header X-Amity-Request, from no other site's page"
            )
        }
    }

    /// Whether no header of a browser says that another site's page sent the request.
    package func isFromOwnPage(_ request: Request) -> Bool {
        if let site = request.headers.fetchSite { return site == "same-origin" }
        guard let origin = request.headers[.origin] else { return true }
        let parts = origin.lowercased().split(separator: "/", omittingEmptySubsequences: false)
        return parts.count == 3 && parts[1].isEmpty
            && parts[2] == (request.head.authority ?? "").lowercased()
    }

    private func pass(of request: Request) -> Pass? {
        guard hasToken else {
            // Against DNS rebinding: another site's page whose name resolves to this machine still
            // sends its own name as Host.
            return namesThisMachine(request) ? .unasked : nil
        }
        if let token = Self.bearer(of: request), isToken(token) { return .token }
        return sessions?.admit(request) == true ? .unasked : nil
    }

    /// The token that a request shows.
    package static func bearer(of request: Request) -> String? {
        let words = (request.headers[.authorization] ?? "").split(separator: " ")
        guard words.count == 2, words[0].lowercased() == "bearer" else { return nil }
        return String(words[1])
    }

    /// Whether its Host header does.
    package func namesThisMachine(_ request: Request) -> Bool {
        isOwnHost(Self.host(of: request))
    }

    package func isToken(_ guess: some StringProtocol) -> Bool { Self.has(digest, guess) }

    /// Whether the request shows the token that reads metrics and nothing else.
    package func mayReadMetrics(_ request: Request) -> Bool {
        Self.bearer(of: request).map { Self.has(metricsDigest, $0) } ?? false
    }

    /// Takes as long for one wrong guess as for any other, so that timing does not reveal the token
    /// character by character.
    private static func has(_ digest: [UInt8]?, _ guess: some StringProtocol) -> Bool {
        guard let digest else { return false }
        return Digest.areEqual(Digest.sha256(guess.utf8), digest)
    }

    /// Without its port and an IPv6 address' brackets.
    private static func host(of request: Request) -> String {
        let authority = request.head.authority ?? ""
        if authority.hasPrefix("[") { return String(authority.dropFirst().prefix { $0 != "]" }) }
        return String(authority.prefix { $0 != ":" })
    }
}
