import Foundation
import TestSupport
import Testing

@testable import HTTPServing

struct ProblemTests {
    private var problems: ServerOptions {
        var options = SmallServer.options()
        options.areErrorsProblems = true
        return options
    }

    private let json = "Content-Type: application/json"

    @Test func aRouteThrowsAProblem() async throws {
        try await SmallServer().run { (small: SmallServer) throws in
            let answer = try small.get("/problem")
            #expect(answer.status == 422)
            #expect(answer.header("Content-Type") == ["application/problem+json"])
            #expect(answer.header("Retry-After") == ["7"])
            #expect(answer.header("Cache-Control") == ["no-store"])
            #expect(
                answer.body == #"{"code":"bad_task","detail":"one member is wrong","#
                    + #""errors":[{"detail":"must be a number","pointer":"/a/b"}],"status":422,"#
                    + #""title":"Unprocessable Content","type":"about:blank"}"#
            )
        }
    }

    /// Fault: the server's own refusals have another form than the routes'; or what went wrong
    /// inside is told to the client.
    @Test func whereAskedEveryErrorIsAProblem() async throws {
        try await SmallServer().run(problems) { (small: SmallServer) throws in
            let kinds = [
                ("/nothing", "127.0.0.1", 404, "not_found"),
                ("/text", "evil.example", 403, "forbidden"),
                ("/broken", "127.0.0.1", 500, "internal"),
            ]
            for (path, host, status, code) in kinds {
                let answer = try small.get(path, host: host)
                #expect(answer.status == status, "\(path)")
                #expect(answer.header("Content-Type") == ["application/problem+json"], "\(path)")
                #expect(answer.body.contains(#""code":"\#(code)""#), "\(answer.body)")
                #expect(!answer.body.contains("conversation"))
            }
        }
        var guarded = problems
        guarded.access = AccessControl(token: "a-token", hasLogin: false) { _ in true }
        try await SmallServer().run(guarded) { (small: SmallServer) throws in
            let answer = try small.get("/text")
            #expect(answer.status == 401 && answer.header("WWW-Authenticate").count == 1)
            #expect(answer.header("Content-Type") == ["application/problem+json"])
        }
    }

    @Test func aBodyOfJSONIsReadToItsLimit() async throws {
        try await SmallServer().run { (small: SmallServer) throws in
            let full = String(repeating: "1", count: 1000)
            for type in [json, "content-type: Application/JSON; charset=utf-8"] {
                let answer = try small.post("/echo", full, type)
                #expect(answer.status == 200 && answer.body == full, "\(type)")
            }
            let more = try small.post("/echo", full + "1", json)
            #expect(more.status == 413 && more.body.contains(#""code":"content_too_large""#))
        }
    }

    /// Fault: a server waits for a body that it will not take, or keeps all of it until it is sure.
    @Test func aBodyThatSaysItIsTooLargeIsNotAwaited() async throws {
        try await SmallServer().run { (small: SmallServer) throws in
            let connection = try small.connect()
            connection.send(Self.head("Content-Length: 1001"))
            #expect(connection.read(until: "about:blank").contains(" 413 "))
            let chunks = try small.connect()
            let chunk = "258\r\n\(String(repeating: "1", count: 600))\r\n"
            chunks.send(Self.head("Transfer-Encoding: chunked") + chunk + chunk)
            #expect(chunks.read(until: "about:blank").contains(" 413 "))
        }
    }

    private static func head(_ header: String) -> String {
        "POST /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Amity-Request: test\r\n"
            + "Content-Type: application/json\r\n\(header)\r\n\r\n"
    }

    @Test func anotherContentTypeIsRefused() async throws {
        try await SmallServer().run { (small: SmallServer) throws in
            for type in ["text/plain", "application/jsonx", "", "application/problem+json"] {
                #expect(try small.post("/echo", "1", "Content-Type: \(type)").status == 415)
            }
            let missing = try small.post("/echo", "1")
            #expect(missing.status == 415)
            #expect(missing.body.contains(#""code":"unsupported_media_type""#))
        }
    }

    /// Fault: under load every request is begun, and each takes its body's memory.
    @Test func aboveTheBoundARequestIsRefusedBeforeItsBody() async throws {
        var options = SmallServer.options()
        options.mostInFlight = 2
        try await SmallServer().run(options) { (small: SmallServer) throws in
            small.isHeld.withLock { $0 = true }
            let held = try (0..<2).map { _ in try small.connect() }
            for one in held { one.send("GET /slow HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n") }
            #expect(small.wait { small.waiting.withLock { $0 } == 2 })
            let third = try small.connect()
            third.send(Self.head("Content-Length: 900"))
            let answer = third.read(until: "about:blank")
            #expect(answer.contains(" 503 ") && answer.lowercased().contains("retry-after: 1"))
            #expect(answer.contains(#""code":"overloaded""#))
            #expect(try small.get("/health").status == 200)
            small.isHeld.withLock { $0 = false }
            #expect(small.wait { (try? small.post("/echo", "1", json).status) == 200 })
        }
    }
}
