import Hummingbird

/// What one server is told. A server of the same process has others.
package struct ServerOptions: Sendable {
    package var host: String
    /// 0 lets the system choose.
    package var port: Int
    package var access: AccessControl
    /// What an operator can do where the server cannot listen: which settings to change.
    package var remedy: String
    /// Of the event loops, 1 or more.
    package var threads = 1
    package var limits = ConnectionLimits()
    /// Connections beyond wait in the kernel's queue.
    package var mostConnections: Int
    /// Requests that a route works on at the same time, 1 or more; those beyond are answered 503
    /// before their bodies are read. Probes do not count. nil for no bound.
    package var mostInFlight: Int?
    /// Of all requests but probes, together; nil for no limit. Requests beyond wait.
    package var requestsPerSecond: Double?
    /// Paths open to every client, with a rate limit of their own: a client that sends too many
    /// other requests delays no probe. Any other spelling of a path is guarded.
    package var probes: Set<String> = []
    package var probesPerSecond: Double? = 100
    /// Further paths open to every client, with the rate limit of all others.
    package var openPaths: Set<String> = []
    /// Checks access instead of `access`, where that takes time. Throws the answer to a request
    /// that is not admitted.
    package var check: (@Sendable (Request) async throws -> Void)?
    /// Requests that only wait: they do not count as in flight.
    package var isWaiting: @Sendable (Request) -> Bool = { _ in false }
    /// Answers a request that is not admitted; nil for the error.
    package var whenRefused: (@Sendable (Request) -> Response?)?
    /// Whether every error is answered as a `Problem`, also those of the server itself.
    package var areErrorsProblems = false

    package init(
        host: String,
        port: Int,
        access: AccessControl,
        mostConnections: Int,
        remedy: String
    ) {
        self.host = host
        self.port = port
        self.access = access
        self.mostConnections = mostConnections
        self.remedy = remedy
    }
}
