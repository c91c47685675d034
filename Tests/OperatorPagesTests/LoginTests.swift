import Foundation
import HTTPServing
import Hummingbird
import TestSupport
import Testing

@testable import OperatorPages

private let token = "correct-horse-battery"
private let own = "X-Amity-Request: test"

struct LoginTests {
    /// The `Cookie` line of a client that has logged in.
    private func cookie(_ rig: ServerRig) throws -> String {
        let answer = try rig.post("/login", "token=\(token)")
        let set = try #require(answer.header("Set-Cookie").first)
        return "Cookie: " + set.prefix { $0 != ";" }
    }

    /// Fault: a cookie that a script can read, that other sites' pages bring along, or that is the
    /// token.
    @Test func theTokenBecomesACookieThatIsNotTheToken() async throws {
        try await ServerRig().run(token: token) { (rig: ServerRig) throws in
            #expect(try rig.get("/").status == 303)
            #expect(try rig.get("/").header("Location") == ["/login"])
            let form = try rig.get("/login")
            #expect(form.status == 200 && form.body.contains(#"<form method="post""#))
            let answer = try rig.post("/login", "token=\(token)")
            #expect(answer.status == 303)
            #expect(answer.header("Location") == ["/"])
            let set = try #require(answer.header("Set-Cookie").first)
            #expect(set.hasPrefix("amity_session=") && !set.contains(token))
            for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
                #expect(set.contains(part), "\(part) in \(set)")
            }
            #expect(!set.contains("Secure"))
            let cookie = "Cookie: " + set.prefix { $0 != ";" }
            #expect(try rig.get("/", cookie).status == 200)
            #expect(try rig.get("/api/v1/stats/workers", cookie).status == 200)
            #expect(try rig.get("/login", cookie).status == 303)
            let out = try rig.post("/logout", "", cookie, own)
            #expect(out.status == 204)
            #expect(out.header("Set-Cookie").first?.contains("amity_session=;") == true)
            #expect(out.header("Set-Cookie").first?.contains("Max-Age=0") == true)
        }
    }

    /// Fault: behind a proxy that encrypts, the cookie also travels in the plain.
    @Test func behindTLSTheCookieIsSecure() async throws {
        try await ServerRig().run(token: token) { (rig: ServerRig) throws in
            let answer = try rig.post("/login", "token=\(token)", "X-Forwarded-Proto: https")
            #expect(answer.header("Set-Cookie").first?.contains("; Secure") == true)
        }
    }

    @Test func nothingElseIsASession() async throws {
        try await ServerRig().run(token: token) { (rig: ServerRig) throws in
            let value = try cookie(rig).dropFirst("Cookie: amity_session=".count)
            let parts = value.split(separator: ".")
            let other = BrowserSessions(token: "another-token-of-another")
                .begin(for: request()).value
            let wrong = [
                "", ".", "..", token, String(value.dropLast()), "\(value)0",
                "9\(value)", "\(parts[0]).x.\(parts[2])", "\(parts[0]).\(parts[1]).",
                "\(parts[0]).\(parts[1])", other,
            ]
            for session in wrong {
                let answer = try rig.get("/metrics", "Cookie: amity_session=\(session)")
                #expect(answer.status == 401, "\(session)")
            }
        }
    }

    /// Fault: each worker of a host has its own sessions, and a browser that opens the page of one
    /// is logged out of the other; or a session never ends.
    @Test func everyWorkerWithTheTokenTakesASessionUntilItEnds() {
        let begin = Date()
        let session = BrowserSessions(token: token).begin(for: request(), at: begin)
        let later = request([.cookie: "other=1; amity_session=\(session.value)"])
        let sessions = BrowserSessions(token: token)
        #expect(sessions.admit(later, at: begin))
        let end = begin + TimeInterval(BrowserSessions.lifetime)
        #expect(sessions.admit(later, at: end - 2))
        #expect(!sessions.admit(later, at: end + 1))
    }

    private func request(_ headers: HTTPFields = [:]) -> Request {
        Request(
            head: .init(
                method: .get,
                scheme: nil,
                authority: nil,
                path: "/",
                headerFields: headers
            ),
            body: .init(buffer: .init())
        )
    }

    /// Fault: a client guesses the token as fast as the server answers; or a flood of guesses locks
    /// every client out for as long as the flood has lasted.
    @Test func guessesAreFewASecondAndSayNothing() async throws {
        try await ServerRig().run(token: token) { (rig: ServerRig) throws in
            let wrong = try rig.post("/login", "token=wrong%3Cb%3E")
            #expect(wrong.status == 401)
            #expect(wrong.header("Set-Cookie").isEmpty)
            #expect(wrong.body.contains("not the token") && !wrong.body.contains("wrong"))
            #expect(try rig.post("/login", "nothing").status == 400)
            let answers = try (0..<30).map { _ in try rig.post("/login", "token=x").status }
            #expect(answers.contains(429))
            #expect(try rig.get("/metrics", "Authorization: Bearer \(token)").status == 200)
        }
    }

    /// Fault: another site's page makes a browser that is logged in, or that runs on the worker's
    /// machine, throw dead letters away.
    @Test(arguments: [true, false])
    func whatChangesSomethingIsOurOwnPagesAlone(hasToken: Bool) async throws {
        try await ServerRig().run(token: hasToken ? token : nil) { (rig: ServerRig) throws in
            let cookie = hasToken ? try cookie(rig) : "X-Nothing: 1"
            let here = "Origin: http://127.0.0.1"
            func purge(_ headers: String...) throws -> Int {
                try RawAnswer.post(
                    "/api/v1/dead-letters/purge",
                    #"{"code":"A"}"#,
                    port: rig.port,
                    headers: [cookie] + headers
                ).status
            }
            #expect(try purge() == 403)
            #expect(try purge(here) == 403)
            for origin in [
                "null", "http://evil.example", "http://127.0.0.1.evil.example",
                "http://127.0.0.1:81", "127.0.0.1", "http://127.0.0.1/x",
            ] {
                #expect(try purge("Origin: \(origin)", own) == 403, "\(origin)")
            }
            for site in ["cross-site", "same-site", "none", ""] {
                #expect(try purge("Sec-Fetch-Site: \(site)", own) == 403, "\(site)")
            }
            #expect(try purge("Sec-Fetch-Site: cross-site", here, own) == 403)
            #expect(rig.operatorService.orders.withLock { $0.count } == 0)
            #expect(try purge(here, own) == 200)
            #expect(try purge(own) == 200)
            #expect(try purge("Sec-Fetch-Site: same-origin", own) == 200)
            #expect(rig.operatorService.orders.withLock { $0.count } == 3)
            // A request with the token itself needs neither header: no browser sends the token by
            // itself.
            if hasToken {
                #expect(try purge("Authorization: Bearer \(token)") == 200)
                let elsewhere = try rig.post(
                    "/login",
                    "token=\(token)",
                    "Origin: http://evil.example"
                )
                #expect(elsewhere.status == 403)
            }
        }
    }

    /// Fault: a stranger's name that was made to lead to this machine reads and does what is open
    /// there.
    @Test func withoutATokenAStrangersNameReachesNothing() async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            for path in ["/", "/api/v1/stats/workers", "/api/v1/dead-letters", "/login"] {
                #expect(try rig.get(path, host: "evil.example").status == 403, "\(path)")
            }
            let purge = try rig.post(
                "/api/v1/dead-letters/purge",
                #"{"all":true}"#,
                host: "evil.example",
                "Origin: http://evil.example",
                own
            )
            #expect(purge.status == 403)
            #expect(try rig.get("/", host: "localhost:8080").status == 200)
            #expect(try rig.get("/login").status == 404)
        }
    }
}
