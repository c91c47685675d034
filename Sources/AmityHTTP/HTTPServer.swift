// What a worker tells over HTTP: whether it lives, whether it is ready, its metrics. It sees the
// worker's health and the text of its metrics; no handle of the broker or the database comes here,
// and nothing here runs on a thread of the consumer's.

import Concurrency
import Hummingbird
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Settings

/// The server could not begin.
package enum HTTPServerError: Error, CustomStringConvertible {
    case cannotListen(host: String, port: Int, reason: String)

    package var description: String {
        switch self {
        case .cannotListen(let host, let port, let reason):
            """
            cannot serve HTTP on \(host.contains(":") ? "[\(host)]" : host):\(port): \(reason); \
            set HTTP_HOST and HTTP_PORT to an address that is free (each worker of a host needs a \
            port of its own), or HTTP_PORT to 0 for no server
            """
        }
    }
}

/// Serves until the workers beside it have stopped: in a service group it stands before them.
package final class HTTPServer: Service {
    /// Chosen: what scrapers, probes and a few people keep open.
    static let mostConnections = 64

    private let settings: HTTPSettings
    private let routeContext: RouteContext
    private let limits: ConnectionLimits
    private let logger: Logger
    private let listening: AsyncStream<Void>
    private let announce: AsyncStream<Void>.Continuation
    /// The socket on which it listens, or did; nil before it has.
    let socket = Locked<(any Channel)?>(nil)

    package convenience init(settings: HTTPSettings, routeContext: RouteContext, logger: Logger) {
        self.init(
            settings: settings,
            routeContext: routeContext,
            limits: ConnectionLimits(),
            logger: logger
        )
    }

    init(
        settings: HTTPSettings,
        routeContext: RouteContext,
        limits: ConnectionLimits,
        logger: Logger
    ) {
        self.settings = settings
        self.routeContext = routeContext
        self.limits = limits
        self.logger = logger
        (listening, announce) = AsyncStream.makeStream()
    }

    /// Waits until the server listens, so that nothing begins beside one that cannot. For one
    /// caller.
    ///
    /// - Returns: whether it does; false when it never will.
    package func waitUntilListening() async -> Bool {
        for await _ in listening { return true }
        return false
    }

    /// - Throws: `HTTPServerError` when it cannot begin. Once it has, whatever ends it before its
    ///   time disturbs no consumer: it begins again by itself.
    package func run() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        defer {
            announce.finish()
            group.shutdownGracefully { _ in }
        }
        while true {
            let failure = await serve(on: group)
            if Task.isShuttingDownGracefully || Task.isCancelled { return }
            let reason = failure.map(Self.reason) ?? "its socket was closed"
            guard socket.withLock({ $0 != nil }) else {
                throw HTTPServerError.cannotListen(
                    host: settings.host,
                    port: settings.port,
                    reason: reason
                )
            }
            logger.error("http.lost", metadata: ["error": "\(reason)"])
            do {
                try await cancelWhenGracefulShutdown { try await Task.sleep(for: .seconds(1)) }
            } catch {
                return  // The worker stops.
            }
        }
    }

    private func listens(_ channel: any Channel) {
        socket.withLock { $0 = channel }
        announce.yield()
        logger.notice(
            "http.started",
            metadata: [
                "host": "\(settings.host)", "port": .stringConvertible(settings.port),
                "has_token": .stringConvertible(settings.token != nil),
            ]
        )
    }

    /// - Returns: what ended it; nil for an end without an error.
    private func serve(on group: MultiThreadedEventLoopGroup) async -> (any Error)? {
        // The libraries' lines are sentences, and repeat what is said here.
        var quiet = logger
        quiet.logLevel = .critical
        let application = Application(
            router: Routes(routeContext: routeContext, access: AccessControl(settings)).router(),
            server: .limited(limits),
            configuration: .init(
                address: .hostname(settings.host, port: settings.port),
                availableConnectionsDelegate: .maximum(Self.mostConnections, logger: quiet)
            ),
            onServerRunning: { [self] in listens($0) },
            eventLoopGroupProvider: .shared(group),
            logger: quiet
        )
        do {
            try await application.run()
            return nil
        } catch {
            return error
        }
    }

    private static func reason(_ error: any Error) -> String {
        // Its own description is the call with its parameters' labels.
        if let error = error as? IOError { return String(cString: strerror(error.errnoCode)) }
        if error is SocketAddressError { return "this host has no address" }
        return "\(error)"
    }
}
