import Concurrency
import Foundation
import TestSupport
import Testing

@testable import HTTPServing

/// Each is a request that no honest client sends, over a socket of the test's own; and after each
/// the server serves the next one.
struct ConnectionLimitsTests {
    /// Long enough for an honest request on a machine that is busy with other tests.
    private var strict: ServerOptions { SmallServer.options(idle: 5, exchange: 10) }

    private func pause(_ milliseconds: Double) {
        _ = DispatchSemaphore(value: 0).wait(timeout: .now() + milliseconds / 1000)
    }

    /// Whether an honest client is served. One that a busy machine has cut asks again.
    private func serves(_ small: SmallServer) -> Bool {
        let deadline = ContinuousClock.now + .seconds(60)
        while .now < deadline {
            if case .success(200) = Result(catching: { try small.get("/text").status }) {
                return true
            }
        }
        return false
    }

    /// Sends a text over and over until the server has cut it.
    ///
    /// - Returns: how often, `most` if it never was.
    private func drip(
        _ text: String,
        on connection: RawConnection,
        every milliseconds: Double,
        most: Int
    ) -> Int {
        for count in 0..<most {
            guard connection.send(text) else { return count }
            pause(milliseconds)
        }
        return most
    }

    /// Fault: a head that comes byte by byte holds a connection for ever.
    @Test func aHeadThatTricklesInIsCut() async throws {
        try await SmallServer().run(strict) { (small: SmallServer) throws in
            let connection = try small.connect()
            connection.send("GET /text HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
            #expect(drip("x", on: connection, every: 20, most: 3000) < 3000)
            #expect(connection.readToEnd().hasEnded)
            #expect(serves(small))
        }
    }

    /// Fault: the answer is given at once, but the body that was announced goes on for ever.
    @Test func aBodyThatTricklesInIsCut() async throws {
        try await SmallServer().run(strict) { (small: SmallServer) throws in
            let connection = try small.connect()
            connection.send(
                "GET /text HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n"
            )
            #expect(drip("x", on: connection, every: 20, most: 3000) < 3000)
            let answer = connection.readToEnd()
            #expect(answer.hasEnded)
            #expect(answer.text.contains("up 1"))
            #expect(serves(small))
        }
    }

    /// Fault: a body without end fills the memory, or keeps the processor busy.
    @Test func aBodyThatIsTooLargeIsCut() async throws {
        try await SmallServer().run { (small: SmallServer) throws in
            let connection = try small.connect()
            connection.send(
                "POST /text HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10000000000\r\n\r\n"
            )
            let chunk = String(repeating: "x", count: 1 << 20)
            #expect(drip(chunk, on: connection, every: 0, most: 1000) < 1000)
            #expect(serves(small))
        }
    }

    /// Fault: a path, or a header, that never ends is kept until the memory is gone.
    @Test(arguments: ["GET /", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "])
    func aHeadThatIsTooLargeIsCut(beginning: String) async throws {
        try await SmallServer().run(strict) { (small: SmallServer) throws in
            let connection = try small.connect()
            connection.send(beginning)
            let chunk = String(repeating: "x", count: 64 << 10)
            #expect(drip(chunk, on: connection, every: 0, most: 2000) < 2000)
            #expect(connection.readToEnd().hasEnded)
            #expect(serves(small))
        }
    }

    @Test func oneHeaderIsNotTooLargeAndManyAreNotTooMany() async throws {
        try await SmallServer().run { (small: SmallServer) throws in
            let large = String(repeating: "x", count: 9 << 10)
            #expect(try small.get("/text", "X: \(large)").status != 200)
            let connection = try small.connect()
            let many = (0..<100).map { "X-\($0): 1\r\n" }.joined()
            connection.send("GET /text HTTP/1.1\r\nHost: 127.0.0.1\r\n\(many)\r\n")
            #expect(RawAnswer(from: connection.readToEnd().text).status != 200)
            let some = String(repeating: "x", count: 1 << 10)
            #expect(try small.get("/text", "X: \(some)").status == 200)
        }
    }

    /// Fault: a client that asks for much and takes nothing holds its answers in memory for ever.
    @Test func aClientThatTakesNoAnswerIsCut() async throws {
        let text = String(repeating: "x", count: 8 << 20)
        var short = strict
        short.limits.exchange = .seconds(2)
        try await SmallServer().run(short, text: text) { (small: SmallServer) throws in
            let connection = try small.connect()
            connection.send("GET /text HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            pause(15_000)
            // What the kernel had taken before the cut comes still, and not all of it.
            let answer = connection.readToEnd()
            #expect(answer.hasEnded)
            #expect(answer.text.utf8.count < text.utf8.count)
        }
    }

    /// Fault: a stream of events ends after as long as an answer may take.
    @Test func aStreamLastsLongerThanAnAnswer() async throws {
        var short = SmallServer.options()
        short.limits.exchange = .seconds(3)
        short.limits.answer = .seconds(3)
        short.limits.stream = .seconds(60)
        try await SmallServer().run(short) { (small: SmallServer) throws in
            #expect(try small.get("/stream/10").body.contains("0\r\n\r\n"))
            #expect(small.waiting.withLock { $0 } == 20)
        }
    }

    /// Fault: a stream whose client takes nothing is held for ever.
    @Test func aStreamThatIsNotTakenIsCut() async throws {
        var short = SmallServer.options()
        short.limits.stream = .milliseconds(600)
        try await SmallServer().run(short) { (small: SmallServer) throws in
            let connection = try small.connect()
            connection.send("GET /stream/\(4 << 20) HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            let deadline = ContinuousClock.now + .seconds(60)
            while small.endedStreams.withLock({ $0 }) == 0, .now < deadline { pause(5) }
            #expect(connection.readToEnd().hasEnded)
            #expect(small.waiting.withLock { $0 } < 20)
        }
    }

    /// Fault: silent connections keep out the clients that have something to ask.
    @Test func aCrowdThatSaysNothingKeepsNoClientOutForLong() async throws {
        try await SmallServer().run(strict) { (small: SmallServer) throws in
            let crowd = try (0..<150).map { _ in try small.connect() }
            #expect(serves(small))
            #expect(crowd.allSatisfy { $0.readToEnd().hasEnded })
        }
    }

    /// Fault: a deploy waits for a client that never finishes its request, or reads no answer.
    @Test func noClientThatDawdlesKeepsTheServerFromItsEnd() async throws {
        var patient = strict
        patient.limits.idle = .seconds(60)
        patient.limits.exchange = .seconds(60)
        let text = String(repeating: "x", count: 8 << 20)
        let (dawdlers, since) = (Locked<[RawConnection]>([]), Locked(ContinuousClock.now))
        try await SmallServer().run(patient, text: text) {
            (small: SmallServer) throws in
            let three = try (0..<3).map { _ in try small.connect() }
            three[1].send("GET /text HT")
            three[2].send("GET /text HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            // All three are there once a later one has been answered.
            #expect(try small.get("/health").status == 200)
            dawdlers.withLock { $0 = three }
            since.withLock { $0 = .now }
        }
        #expect(since.withLock { $0.duration(to: .now) } < .seconds(20))
        #expect(dawdlers.withLock { $0.count } == 3)
    }
}
