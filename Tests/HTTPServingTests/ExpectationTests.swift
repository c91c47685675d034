import Foundation
import TestSupport
import Testing

@testable import HTTPServing

/// Clients that send a head with `Expect: 100-continue` and wait before they send its body.
struct ExpectationTests {
    private static func head(_ headers: String..., version: String = "1.1") -> String {
        let own = ["Host: 127.0.0.1", "X-Amity-Request: test", "Expect: 100-Continue"]
        let lines = own + headers
        return "POST /echo HTTP/\(version)\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n"
    }

    private static let json = "Content-Type: application/json"
    private static let small = "Content-Length: 3"

    /// Fault: such a client waits a second for each request, or for ever.
    @Test func aRouteThatReadsTheBodyAsksForIt() async throws {
        try await SmallServer().run { (small: SmallServer) throws in
            let connection = try small.connect()
            for body in [["123"], ["4", "56"]] {
                connection.send(Self.head(Self.json, Self.small))
                #expect(connection.read(until: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
                for part in body { connection.send(part) }
                let answer = connection.read(until: body.joined())
                #expect(answer.hasPrefix("HTTP/1.1 200 ") && !answer.contains(" 100 "))
            }
            connection.send(Self.head(Self.json, "Transfer-Encoding: chunked"))
            #expect(connection.read(until: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
            connection.send("3\r\n789\r\n0\r\n\r\n")
            #expect(connection.read(until: "789").contains(" 200 "))
        }
    }

    /// Faults: a body is sent that is not taken; or what follows the head is taken for that body,
    /// which its client has kept to itself.
    @Test(arguments: [
        ("Content-Type: text/plain", "Content-Length: 3", 415),
        ("Content-Type: application/json", "Content-Length: 1001", 413),
    ])
    func aRequestThatIsRefusedIsAnsweredAtOnce(
        type: String,
        length: String,
        status: Int
    ) async throws {
        try await SmallServer().run(.patient) { (small: SmallServer) throws in
            let connection = try small.connect()
            connection.send(Self.head(type, length))
            let (text, hasEnded) = connection.readToEnd()
            #expect(text.hasPrefix("HTTP/1.1 \(status) ") && hasEnded, "\(text)")
            #expect(RawAnswer(from: text).header("Connection") == ["close"])
            connection.send("GET /text HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            #expect(connection.readToEnd().text.isEmpty)
        }
    }

    @Test func whoMayNotEnterIsToldAtOnce() async throws {
        let options = SmallServer.options(token: "a-token")
        try await SmallServer().run(options) { (small: SmallServer) throws in
            let connection = try small.connect()
            connection.send(Self.head(Self.json, Self.small))
            let (text, hasEnded) = connection.readToEnd()
            #expect(text.hasPrefix("HTTP/1.1 401 ") && hasEnded, "\(text)")
        }
    }

    /// Fault: after a request that offers another protocol, as some clients' first ones do, the
    /// next one on its connection is never read.
    @Test func whoOffersAnotherProtocolIsToldToConnectAnew() async throws {
        try await SmallServer().run { (small: SmallServer) throws in
            let connection = try small.connect()
            let offer = "Connection: Upgrade\r\nUpgrade: h2c\r\n"
            connection.send("GET /text HTTP/1.1\r\nHost: 127.0.0.1\r\n\(offer)\r\n")
            let (text, hasEnded) = connection.readToEnd()
            #expect(text.hasPrefix("HTTP/1.1 200 ") && hasEnded, "\(text)")
            #expect(RawAnswer(from: text).header("Connection") == ["close"])
        }
    }

    /// Fault: a client that does not wait, or speaks HTTP/1.0 or sends no body, takes the interim
    /// answer for the answer.
    @Test func whoDoesNotWaitGetsNoInterimAnswer() async throws {
        try await SmallServer().run { (small: SmallServer) throws in
            let plain = try small.post("/echo", "123", Self.json)
            #expect(plain.status == 200 && plain.body == "123")
            for (head, body) in [
                (Self.head(Self.json, Self.small, version: "1.0"), "123"),
                (Self.head(Self.json, "Content-Length: 0", "Connection: close"), ""),
            ] {
                let connection = try small.connect()
                connection.send(head + body)
                let text = connection.readToEnd().text
                #expect(text.contains(" 200 ") && !text.contains(" 100 "), "\(text)")
            }
        }
    }
}
