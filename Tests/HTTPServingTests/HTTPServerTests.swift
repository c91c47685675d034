import Concurrency
import Foundation
import Hummingbird
import TestSupport
import Testing

@testable import HTTPServing

struct HTTPServerTests {
    /// Fault: the port is taken, and the process runs without HTTP and does not say so, or names
    /// another server's settings.
    @Test func aPortThatIsTakenIsSaidAtOnce() async throws {
        try await SmallServer().run { (small: SmallServer) throws in
            let options = SmallServer.options(port: Int(small.port))
            let second = HTTPServer(options, logger: quiet) { _ in }
            let ended = DispatchSemaphore(value: 0)
            let said = Locked("")
            Task {
                do { try await second.run() } catch { said.withLock { $0 = "\(error)" } }
                #expect(await !second.waitUntilListening())
                ended.signal()
            }
            try #require(ended.wait(timeout: .now() + 20) == .success)
            let text = said.withLock { $0 }
            #expect(text.contains("127.0.0.1:\(small.port)") && text.contains("set OTHER_PORT to"))
        }
    }

    /// Fault: an error that ends the server ends the consumer, too, or leaves it without HTTP.
    @Test func aServerThatIsLostBeginsAgain() async throws {
        try await SmallServer().run { (small: SmallServer, server: HTTPServer) throws in
            let lost = try #require(server.socket.withLock { $0 })
            lost.close(promise: nil)
            #expect(small.wait { server.socket.withLock { $0 !== lost } })
            #expect(try small.get("/text").status == 200)
        }
    }

    /// Fault: two servers of a process share limits or tokens.
    @Test func eachServerHasItsOwnOptions() async throws {
        var open = SmallServer.options(token: "token-of-the-first")
        open.openPaths = ["/text"]
        open.requestsPerSecond = 1
        let slow = open
        try await SmallServer().run(slow) { (first: SmallServer) throws in
            #expect(try first.get("/text").status == 200)
            #expect(try first.get("/text/").status == 401)
        }
        try await SmallServer().run(SmallServer.options()) { (second: SmallServer) throws in
            let begin = ContinuousClock.now
            for _ in 0..<50 { #expect(try second.get("/text").status == 200) }
            #expect(begin.duration(to: .now) < .seconds(20))
        }
    }

    /// Fault: a server without a login page takes cookies that no other of its clients can get.
    @Test func withoutALoginNoCookieIsASession() async throws {
        let token = "correct-horse-battery"
        let options = SmallServer.options(token: token)
        try await SmallServer().run(options) { (small: SmallServer) throws in
            #expect(try small.get("/text", "Authorization: Bearer \(token)").status == 200)
            let request = Request(
                head: .init(method: .get, scheme: nil, authority: nil, path: "/"),
                body: .init(buffer: .init())
            )
            let session = BrowserSessions(token: token).begin(for: request).value
            #expect(try small.get("/text", "Cookie: amity_session=\(session)").status == 401)
        }
    }

    /// Fault: a rate that is exceeded delays the probes, and a supervisor restarts the process.
    @Test func probesHaveARateOfTheirOwn() async throws {
        var options = SmallServer.options()
        options.requestsPerSecond = 0.3
        options.mostInFlight = 1
        try await SmallServer().run(options) { (small: SmallServer) throws in
            #expect(try small.get("/text").status == 200)
            // One of them waits for its turn, and counts as in flight.
            let late = try (0..<2).map { _ in try small.connect() }
            for one in late {
                one.send("GET /text HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            }
            #expect(try small.get("/health").status == 200)
            let answers = late.map { RawAnswer(from: $0.readToEnd().text).status }
            #expect(answers.sorted() == [200, 503])
        }
    }
}
