import Concurrency
import Hummingbird
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// The server could not begin.
package enum HTTPServerError: Error, CustomStringConvertible {
    case cannotListen(host: String, port: Int, reason: String, remedy: String)

    package var description: String {
        switch self {
        case .cannotListen(let host, let port, let reason, let remedy):
            """
            cannot serve HTTP on \(host.contains(":") ? "[\(host)]" : host):\(port): \(reason); \
            \(remedy)
            """
        }
    }
}

/// Serves until the workers beside it have stopped: in a service group it stands before them.
package final class HTTPServer: Service {
    /// Adds routes to the router of a server that begins, also of one that begins again.
    package typealias AddRoutes = @Sendable (Router<BasicRequestContext>) -> Void

    private let options: ServerOptions
    private let addRoutes: AddRoutes
    private let logger: Logger
    private let listening: AsyncStream<Void>
    private let announce: AsyncStream<Void>.Continuation
    /// The socket on which it listens, or did; nil before it has.
    let socket = Locked<(any Channel)?>(nil)

    package init(_ options: ServerOptions, logger: Logger, addRoutes: @escaping AddRoutes) {
        self.options = options
        self.logger = logger
        self.addRoutes = addRoutes
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
        let group = MultiThreadedEventLoopGroup(numberOfThreads: options.threads)
        do {
            try await serveUntilStopped(on: group)
        } catch {
            await end(group)
            throw error
        }
        await end(group)
    }

    /// Waits for what the last connections leave behind: it runs on these threads.
    private func end(_ group: MultiThreadedEventLoopGroup) async {
        announce.finish()
        // A task of Hummingbird's own lets go of the server a little later, which then still fails
        // a promise of these threads.
        do {
            try await Task.sleep(for: .milliseconds(100))
        } catch {
            // Cancelled: it ends all the same.
        }
        await withCheckedContinuation { ended in
            group.shutdownGracefully { _ in ended.resume() }
        }
    }

    private func serveUntilStopped(on group: MultiThreadedEventLoopGroup) async throws {
        while true {
            let failure = await serve(on: group)
            if Task.isShuttingDownGracefully || Task.isCancelled { return }
            let reason = failure.map(Self.reason) ?? "its socket was closed"
            guard socket.withLock({ $0 != nil }) else {
                throw HTTPServerError.cannotListen(
                    host: options.host,
                    port: options.port,
                    reason: reason,
                    remedy: options.remedy
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
                "host": "\(options.host)", "port": .stringConvertible(options.port),
                "has_token": .stringConvertible(options.access.hasToken),
            ]
        )
    }

    /// - Returns: what ended it; nil for an end without an error.
    private func serve(on group: MultiThreadedEventLoopGroup) async -> (any Error)? {
        // The libraries' lines are sentences, and repeat what is said here.
        var quiet = logger
        quiet.logLevel = .critical
        let application = Application(
            router: router(),
            server: .limited(options.limits),
            configuration: .init(
                address: .hostname(options.host, port: options.port),
                availableConnectionsDelegate: .maximum(options.mostConnections, logger: quiet)
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

    private func router() -> Router<BasicRequestContext> {
        let router = Router(options: .autoGenerateHeadEndpoints)
        router.add(middleware: CommonAnswers(areErrorsProblems: options.areErrorsProblems))
        router.add(middleware: Gate(options))
        addRoutes(router)
        return router
    }

    private static func reason(_ error: any Error) -> String {
        // Its own description is the call with its parameters' labels.
        if let error = error as? IOError { return String(cString: strerror(error.errnoCode)) }
        if error is SocketAddressError { return "this host has no address" }
        return "\(error)"
    }
}
