import Digests
import Hummingbird
import Settings

/// Lets in who has the token, where there is one, or has logged in with it; else who is on this
/// machine.
///
/// A browser brings its cookies, and reaches this machine, for the pages of strangers as well. So
/// what changes something is done for who sends the token itself, and else only for Amity's own
/// page.
struct AccessControl: Sendable {
    private enum Pass {
        case token
        /// A cookie, or being on this machine: what a browser has without being asked.
        case unasked
    }

    /// Of the token; nil where there is none.
    private let digest: [UInt8]?
    /// nil where nobody logs in.
    let sessions: BrowserSessions?

    init(_ settings: HTTPSettings) {
        digest = settings.token.map { Digest.sha256($0.utf8) }
        sessions = settings.token.map(BrowserSessions.init)
    }

    /// - Throws: the answer to whoever is not let in.
    func check(_ request: Request) throws(HTTPError) {
        switch pass(of: request) {
        case .token: return
        case .unasked: try checkIntent(of: request)
        case nil:
            guard digest != nil else {
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
    func admits(_ request: Request) -> Bool { pass(of: request) != nil }

    /// Of who sent the token itself no intent is asked.
    private func checkIntent(of request: Request) throws(HTTPError) {
        if request.method == .get || request.method == .head { return }
        guard isFromOwnPage(request), request.headers.amityRequest != nil else {
            throw HTTPError(
                .forbidden,
                message: "send the header X-Amity-Request, from no other site's page"
            )
        }
    }

    /// Whether no browser says that somebody else's page sent it.
    func isFromOwnPage(_ request: Request) -> Bool {
        if let site = request.headers.fetchSite { return site == "same-origin" }
        guard let origin = request.headers[.origin] else { return true }
        let parts = origin.lowercased().split(separator: "/", omittingEmptySubsequences: false)
        return parts.count == 3 && parts[1].isEmpty
            && parts[2] == (request.head.authority ?? "").lowercased()
    }

    private func pass(of request: Request) -> Pass? {
        guard let sessions else {
            // A page of somebody else's whose name was made to lead here is a stranger all the
            // same.
            return Loopback.contains(Self.host(of: request)) ? .unasked : nil
        }
        let words = (request.headers[.authorization] ?? "").split(separator: " ")
        if words.count == 2, words[0].lowercased() == "bearer", isToken(words[1]) { return .token }
        return sessions.admit(request) ? .unasked : nil
    }

    /// Takes as long for a wrong guess as for any other, so that nobody finds the token letter by
    /// letter.
    func isToken(_ guess: some StringProtocol) -> Bool {
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
