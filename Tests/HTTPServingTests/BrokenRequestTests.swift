import Foundation
import TestSupport
import Testing

@testable import HTTPServing

/// Requests that are no proper HTTP, that end too early, or that come from old clients.
struct BrokenRequestTests {
    private static let head = """
        POST /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Amity-Request: test\r\n\
        Content-Type: application/json\r\n
        """

    private static var problems: ServerOptions {
        var options = ServerOptions.patient
        options.areErrorsProblems = true
        return options
    }

    private func isProblem(_ text: String, _ status: Int, _ code: String) -> Bool {
        let answer = RawAnswer(from: text)
        return answer.status == status && answer.body.contains(#""code":"\#(code)""#)
            && answer.header("Content-Type") == ["application/problem+json"]
            && answer.header("Connection") == ["close"]
            && answer.header("Cache-Control") == ["no-store"]
    }

    // MARK: Bodies

    /// Fault: what is wrong with a request is answered, logged and counted as the server's failure.
    @Test(arguments: ["zz\r\n", "2\r\n12zz\r\n", "2\r\n12\r\nzz\r\n"])
    func aBodyThatIsNoHTTPIsABadRequest(body: String) async throws {
        try await SmallServer().run(Self.problems) { (small: SmallServer) throws in
            let connection = try small.connect()
            connection.send("\(Self.head)Transfer-Encoding: chunked\r\n\r\n\(body)")
            let (text, hasEnded) = connection.readToEnd()
            #expect(isProblem(text, 400, "bad_request") && hasEnded, "\(text)")
            #expect(small.statuses.withLock { $0 } == [400])
            #expect(try small.get("/text").status == 200)
        }
    }

    @Test func aBodyThatEndsTooEarlyIsABadRequest() async throws {
        try await SmallServer().run(Self.problems) { (small: SmallServer) throws in
            let connection = try small.connect()
            connection.send("\(Self.head)Content-Length: 10\r\n\r\n12345")
            connection.endSending()
            let (text, hasEnded) = connection.readToEnd()
            #expect(isProblem(text, 400, "bad_request") && hasEnded, "\(text)")
            #expect(small.statuses.withLock { $0 } == [400])
        }
    }

    @Test func aClientThatGoesAwayInItsBodyIsNoFailureOfTheServer() async throws {
        try await SmallServer().run(Self.problems) { (small: SmallServer) throws in
            for isRude in [false, true] {
                let connection = try small.connect()
                connection.send("\(Self.head)Content-Length: 10\r\n\r\n12345")
                #expect(small.wait { small.begun.withLock { $0 } == (isRude ? 2 : 1) })
                isRude ? connection.abort() : connection.endSending()
            }
            #expect(small.wait { small.statuses.withLock { $0.count } == 2 })
            #expect(small.statuses.withLock { $0 } == [400, 400])
        }
    }

    /// Fault: a second answer comes for a request that has one.
    @Test func aRequestThatIsAnsweredGetsNoSecondAnswer() async throws {
        try await SmallServer().run(Self.problems) { (small: SmallServer) throws in
            let connection = try small.connect()
            connection.send(
                "POST /nothing HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            var text = connection.read(until: "about:blank")
            connection.send("zz\r\n")
            let (rest, hasEnded) = connection.readToEnd()
            text += rest
            #expect(text.components(separatedBy: "HTTP/1.1 ").count == 2 && hasEnded, "\(text)")
        }
    }

    // MARK: Heads

    private static let long = String(repeating: "x", count: 9 << 10)

    /// Fault: programs read every answer as a problem, and these are empty.
    @Test(arguments: [
        ("GET /\(long) HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 414, "uri_too_long"),
        (
            "GET /text HTTP/1.1\r\nHost: 127.0.0.1\r\nX: \(long)\r\n\r\n", 431,
            "request_header_fields_too_large"
        ),
        (
            "GET /text HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                + String(repeating: "X: 1\r\n", count: 100) + "\r\n", 431,
            "request_header_fields_too_large"
        ),
        ("GET /te xt HTTP/1.1\r\n\r\n", 400, "bad_request"),
        ("nothing\r\n\r\n", 400, "bad_request"),
    ])
    func aHeadThatIsRefusedIsAnsweredWithAProblem(
        head: String,
        status: Int,
        code: String
    ) async throws {
        try await SmallServer().run(Self.problems) { (small: SmallServer) throws in
            let connection = try small.connect()
            connection.send(head)
            let (text, hasEnded) = connection.readToEnd()
            #expect(isProblem(text, status, code) && hasEnded, "\(text)")
            // Behind one that was answered, too.
            let second = try small.connect()
            second.send("GET /text HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            #expect(second.read(until: "up 1").contains(" 200 "))
            second.send(head)
            #expect(isProblem(second.readToEnd().text, status, code))
        }
    }

    // MARK: Ends of connections

    /// Fault: a client that reads its answer to the end waits for an end that does not come.
    @Test(arguments: [
        "HTTP/1.0\r\n", "HTTP/1.0\r\nConnection: keep-alive\r\n",
        "HTTP/1.1\r\nConnection: Close\r\n", "HTTP/1.1\r\nConnection: TE, close\r\n",
    ])
    func theConnectionEndsAfterTheAnswer(rest: String) async throws {
        try await SmallServer().run(.patient) { (small: SmallServer) throws in
            let connection = try small.connect()
            connection.send("GET /text \(rest)Host: 127.0.0.1\r\n\r\n")
            let (text, hasEnded) = connection.readToEnd()
            let answer = RawAnswer(from: text)
            #expect(answer.status == 200 && answer.body == "up 1\n" && hasEnded, "\(text)")
            #expect(answer.header("Connection") == ["close"])
        }
    }

    /// Fault: a client of HTTP/1.0 gets chunks, which it does not know.
    @Test func anOldClientGetsNoChunks() async throws {
        try await SmallServer().run(.patient) { (small: SmallServer) throws in
            let connection = try small.connect()
            connection.send("GET /stream/1 HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
            let (text, hasEnded) = connection.readToEnd()
            let answer = RawAnswer(from: text)
            #expect(answer.body == String(repeating: ":", count: 20) && hasEnded, "\(text)")
            #expect(answer.header("Transfer-Encoding").isEmpty)
        }
    }

    @Test func otherConnectionsStay() async throws {
        try await SmallServer().run { (small: SmallServer) throws in
            let connection = try small.connect()
            for _ in 0..<3 {
                connection.send("GET /text HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                #expect(connection.read(until: "up 1").contains(" 200 "))
            }
        }
    }
}

extension ServerOptions {
    /// Ends no connection by itself while a test waits for its end.
    static var patient: ServerOptions { SmallServer.options(idle: 300, exchange: 300) }
}
