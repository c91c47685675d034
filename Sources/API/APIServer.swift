import HTTPServing
import Hummingbird
import Logging
import TaskAPI

extension HTTPServer {
    /// The server of `amity api`.
    package convenience init(_ options: ServerOptions, api: APIContext, logger: Logger) {
        let callers = api.tasks.callers(options.access)
        var options = options
        options.check = { request in
            if TaskRoutes.isOfRun(request) { return }
            if request.uri.path == "/\(APIRoutes.metricsPath)" {
                return try await callers.requireMetrics(request)
            }
            _ = try await callers.caller(of: request)
        }
        options.isWaiting = TaskRoutes.isWaiting
        self.init(options, logger: logger) { router in
            APIRoutes(api: api, callers: callers).add(to: router)
        }
    }
}

extension ServerOptions {
    /// Of `amity api`, which answers many clients at a time.
    ///
    /// - Parameters:
    ///   - metricsToken: reads the metrics, and nothing else.
    ///   - isOwnHost: whether a host is this machine: asked where there is no token.
    package init(
        apiHost host: String,
        port: Int,
        token: String?,
        metricsToken: String?,
        isOwnHost: @escaping @Sendable (String) -> Bool
    ) {
        self.init(
            host: host,
            port: port,
            access: AccessControl(
                token: token,
                metricsToken: metricsToken,
                hasLogin: false,
                // What changes something takes JSON alone.
                checksIntent: false,
                isOwnHost: isOwnHost
            ),
            // Chosen: clients that keep their connections, of several services.
            mostConnections: 1000,
            remedy: "set API_HOST and API_PORT to an address that is free"
        )
        threads = 2
        // Its body, and what else a request has.
        limits.requestBytes =
            max(APIRoutes.conversationBytes, TaskRoutes.largestBatch) + (64 << 10)
        limits.idle = .seconds(75)
        // A body that does not come keeps others out for so long at most; a database that does not
        // answer is given up after five seconds.
        limits.exchange = .seconds(12)
        // A client may wait half a minute for its task.
        limits.answer = .seconds(45)
        // Chosen: what is stored in a tenth of a second; with bodies of the largest size, 300 MB.
        mostInFlight = 300
        probes = ["/health", "/health/live", "/health/ready"]
        areErrorsProblems = true
    }
}
