import HTTPServing
import Hummingbird
import Logging
import Settings

extension HTTPServer {
    /// The server of a worker.
    package convenience init(
        _ settings: HTTPSettings,
        showing routeContext: RouteContext,
        logger: Logger
    ) {
        self.init(ServerOptions(settings), showing: routeContext, logger: logger)
    }

    convenience init(
        _ options: ServerOptions,
        showing routeContext: RouteContext,
        logger: Logger
    ) {
        let access = options.access
        self.init(options, logger: logger) { router in
            Routes(routeContext: routeContext, access: access).add(to: router)
        }
    }
}

extension ServerOptions {
    /// Of a worker's server.
    init(_ settings: HTTPSettings) {
        let access = AccessControl(
            token: settings.token,
            hasLogin: true,
            isOwnHost: Loopback.contains
        )
        self.init(
            host: settings.host,
            port: settings.port,
            access: access,
            // Chosen: what scrapers, probes and a few people keep open.
            mostConnections: 64,
            remedy: """
                set HTTP_HOST and HTTP_PORT to an address that is free (each worker of a host \
                needs a port of its own), or HTTP_PORT to 0 for no server
                """
        )
        requestsPerSecond = 40
        probesPerSecond = 100
        // The answers tell nothing of users or conversations.
        probes = ["/health", "/health/live", "/health/ready"]
        if access.sessions != nil {
            openPaths = [Login.path]
            // A browser that opens a page is sent to the login page.
            whenRefused = { request in
                guard Page.paths.contains(request.uri.path), request.method == .get else {
                    return nil
                }
                return Login.redirect(to: Login.path)
            }
        }
    }
}
