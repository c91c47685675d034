import Concurrency
import Foundation
import Hummingbird
import ServiceLifecycle
import TestSupport
import Testing

@testable import HTTPServing

/// A server with a few routes of a test's own.
struct SmallServer: Sendable {
    private let server = Locked<HTTPServer?>(nil)
    /// Requests that have come to `/slow`.
    let waiting = Locked(0)
    /// Streams whose route has ended, whole or cut.
    let endedStreams = Locked(0)
    /// Requests that have come to `/echo`.
    let begun = Locked(0)
    /// What `/echo` has answered, as it would be counted; 500 for an error without a status.
    let statuses = Locked<[Int]>([])
    /// While it is set, `/slow` waits.
    let isHeld = Locked(false)

    /// The one on which it listens: the system chose it, so that no other test has it.
    var port: UInt16 {
        let port = server.withLock { $0?.socket.withLock { $0?.localAddress?.port } }
        return UInt16(clamping: port ?? 0)
    }

    /// - Parameters:
    ///   - idle: seconds.
    ///   - exchange: seconds.
    static func options(idle: Int64, exchange: Int64) -> ServerOptions {
        var options = options()
        options.limits.idle = .seconds(idle)
        options.limits.exchange = .seconds(exchange)
        return options
    }

    static func options(token: String? = nil, port: Int = 0) -> ServerOptions {
        let access = AccessControl(token: token, hasLogin: false) { $0 == "127.0.0.1" }
        var options = ServerOptions(
            host: "127.0.0.1",
            port: port,
            access: access,
            mostConnections: 64,
            remedy: "set OTHER_PORT to a free port"
        )
        options.probes = ["/health"]
        return options
    }

    /// Runs the server while `body` does, on a thread that it may block.
    func run(
        _ options: ServerOptions = options(),
        text: String = "up 1\n",
        _ body: @escaping @Sendable (SmallServer) throws -> Void
    ) async throws {
        try await run(options, text: text) { small, _ in try body(small) }
    }

    func run(
        _ options: ServerOptions = options(),
        text: String = "up 1\n",
        _ body: @escaping @Sendable (SmallServer, HTTPServer) throws -> Void
    ) async throws {
        let server = HTTPServer(options, logger: quiet) { addRoutes(to: $0, text: text) }
        self.server.withLock { $0 = server }
        let group = ServiceGroup(services: [server], logger: quiet)
        let running = Task { try await group.run() }
        #expect(await server.waitUntilListening())
        let result = await blocking { Result { try body(self, server) } }
        await group.triggerGracefulShutdown()
        try await running.value
        // Its routes hold this one: neither would ever be freed.
        self.server.withLock { $0 = nil }
        try result.get()
    }

    private func addRoutes(to router: Router<BasicRequestContext>, text: String) {
        router.get("health") { _, _ in Response(status: .ok) }
        router.get("text") { _, _ in
            Response(status: .ok, body: .init(byteBuffer: ByteBuffer(string: text)))
        }
        router.get("slow") { _, _ in
            waiting.withLock { $0 += 1 }
            while isHeld.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(5)) }
            return Response(status: .ok)
        }
        // Parts of so many bytes over four seconds, as long as they are taken.
        router.get("stream/:bytes") { _, context in
            let bytes = context.parameters.get("bytes").flatMap { Int($0) } ?? 1
            return Response(
                status: .ok,
                headers: [.contentType: "text/event-stream"],
                body: ResponseBody { writer in
                    defer { endedStreams.withLock { $0 += 1 } }
                    for _ in 0..<20 {
                        let part = String(repeating: ":", count: bytes)
                        try await writer.write(ByteBuffer(string: part))
                        waiting.withLock { $0 += 1 }
                        try await Task.sleep(for: .milliseconds(200))
                    }
                    try await writer.finish(nil)
                }
            )
        }
        router.post("echo") { request, _ in
            begun.withLock { $0 += 1 }
            do {
                let body = try await request.json(upTo: 1000)
                return Response(status: .ok, body: .init(byteBuffer: body))
            } catch {
                let status = (error as? any HTTPResponseError)?.status.code ?? 500
                statuses.withLock { $0.append(status) }
                throw error
            }
        }
        router.get("problem") { _, _ -> Response in
            throw Problem(
                .unprocessableContent,
                code: "bad_task",
                "one member is wrong",
                defects: [.init(at: "/a/b", "must be a number")],
                retryAfter: 7
            )
        }
        router.get("broken") { _, _ -> Response in throw Broken() }
    }

    private struct Broken: Error {
        let secret = "a conversation's text"
    }

    func get(_ path: String, host: String = "127.0.0.1", _ headers: String...) throws -> RawAnswer {
        try RawAnswer.get(path, port: port, host: host, headers: headers)
    }

    func post(_ path: String, _ body: String, _ headers: String...) throws -> RawAnswer {
        let own = ["X-Amity-Request: test"]
        return try RawAnswer.post(path, body, port: port, headers: headers + own)
    }

    func connect() throws -> RawConnection { try RawConnection(port: port) }

    /// Waits for a condition.
    ///
    /// - Returns: whether it came true within 20 s.
    func wait(until isTrue: () -> Bool) -> Bool {
        let deadline = ContinuousClock.now + .seconds(20)
        while !isTrue() {
            if ContinuousClock.now > deadline { return false }
            usleep(5_000)
        }
        return true
    }
}
