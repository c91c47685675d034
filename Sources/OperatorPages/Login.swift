import Concurrency
import HTTPServing
import Hummingbird

/// The login page, where a browser's user enters the token once.
struct Login {
    static let path = "/login"
    static let endPath = "/logout"
    /// Bytes of the form; a token has a few dozen.
    private static let largestForm = 8 << 10

    let access: AccessControl
    let sessions: BrowserSessions
    /// Limits the guesses of all clients together. A client with a session needs no guess.
    private let guesses = Locked(RateLimiter(perSecond: 1, atOnce: 10))

    init?(_ access: AccessControl) {
        guard let sessions = access.sessions else { return nil }
        self.access = access
        self.sessions = sessions
    }

    func add(to router: Router<BasicRequestContext>) {
        router.get("login") { request, _ in
            sessions.admit(request) ? Self.redirect(to: "/") : Self.page().response()
        }
        router.post("login") { request, _ in try await begin(request) }
        router.post("logout") { request, _ in
            var response = Response(status: .noContent)
            response.setCookie(sessions.end(for: request))
            return response
        }
    }

    private struct Form: Decodable {
        var token: String
    }

    private func begin(_ request: Request) async throws -> Response {
        guard access.isFromOwnPage(request) else {
            throw HTTPError(.forbidden, message: "another site's page sent this form")
        }
        guard guesses.withLock({ $0.takeAtOnce(at: .now) }) else {
            var response = Self.page(saying: "Too many attempts. Try again in a few seconds.")
                .response(.tooManyRequests)
            response.headers[.retryAfter] = "5"
            return response
        }
        let body = try await request.body.collect(upTo: Self.largestForm)
        let form: Form
        do {
            form = try URLEncodedFormDecoder().decode(Form.self, from: String(buffer: body))
        } catch {
            throw HTTPError(.badRequest, message: "a form with a token is needed")
        }
        guard access.isToken(form.token) else {
            return Self.page(saying: "This is not the token.").response(.unauthorized)
        }
        var response = Self.redirect(to: "/")
        response.setCookie(sessions.begin(for: request))
        return response
    }

    static func redirect(to path: String) -> Response {
        Response(status: .seeOther, headers: [.location: path])
    }

    private static func page(saying complaint: String? = nil) -> Page {
        Page.login(saying: complaint, hours: BrowserSessions.lifetime / 3600)
    }
}
