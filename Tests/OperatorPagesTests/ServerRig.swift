import Concurrency
import Foundation
import ServiceLifecycle
import Settings
import TestSupport
import Testing
import WorkerHealth

@testable import HTTPServing
@testable import OperatorPages

/// A server without a worker.
struct ServerRig: Sendable {
    private let server = Locked<HTTPServer?>(nil)
    let readiness = Readiness(logger: quiet)
    let pulse = Pulse(name: "channel")
    let health = LinkHealth()
    let operatorService = StubOperatorService()
    let flowService = StubFlowService()

    /// The one on which it listens: the system chose it, so that no other test has it.
    var port: UInt16 {
        let port = server.withLock { $0?.socket.withLock { $0?.localAddress?.port } }
        return UInt16(clamping: port ?? 0)
    }

    /// Runs the server while `body` does, on a thread that it may block.
    func run(
        token: String? = nil,
        metrics: @escaping @Sendable () -> String = { "up 1\n" },
        _ body: @escaping @Sendable (ServerRig) throws -> Void
    ) async throws {
        let routeContext = RouteContext(
            readiness: readiness,
            pulse: pulse,
            health: health,
            operatorService: operatorService,
            flowService: flowService,
            metrics: metrics
        )
        let options = ServerOptions(HTTPSettings(host: "127.0.0.1", port: 0, token: token))
        let server = HTTPServer(options, showing: routeContext, logger: quiet)
        self.server.withLock { $0 = server }
        let group = ServiceGroup(services: [server], logger: quiet)
        let running = Task { try await group.run() }
        #expect(await server.waitUntilListening())
        let result = await blocking { Result { try body(self) } }
        await group.triggerGracefulShutdown()
        try await running.value
        try result.get()
    }

    func get(_ path: String, host: String = "127.0.0.1", _ headers: String...) throws -> RawAnswer {
        try RawAnswer.get(path, port: port, host: host, headers: headers)
    }

    func post(
        _ path: String,
        _ body: String = "",
        host: String = "127.0.0.1",
        _ headers: String...
    ) throws -> RawAnswer {
        try RawAnswer.post(path, body, port: port, host: host, headers: headers)
    }

    func connect() throws -> RawConnection { try RawConnection(port: port) }
}
