/// Calls services whose URLs come from elsewhere: public addresses over https, and whatever
/// `TargetHosts` lists.
package struct GuardedClient: Sendable {
    private let client: HTTPClient
    private let targets: TargetHosts

    /// - Parameters:
    ///   - connections: most that are kept for later requests.
    ///   - authorities: a file of certificates (PEM) to trust; nil for the system's.
    package init(
        _ targets: TargetHosts,
        connections: Int = 32,
        trusting authorities: String? = nil
    ) {
        client = HTTPClient(connections: connections, trusting: authorities)
        self.targets = targets
    }

    /// Blocks the calling thread; see `HTTPClient.sendAndWait`.
    package func sendAndWait(
        _ request: HTTPRequest,
        begun: (_ cancel: @escaping @Sendable () -> Void) -> Void
    ) throws(HTTPError) -> HTTPResponse {
        guard let request = guarded(request) else { throw .unreachable(.addressRefused) }
        return try client.sendAndWait(request, begun: begun)
    }

    /// Returns at once; see `HTTPClient.send(_:begun:_:)`.
    package func send(
        _ request: HTTPRequest,
        begun: (_ cancel: @escaping @Sendable () -> Void) -> Void,
        _ done: @escaping @Sendable (Result<HTTPResponse, HTTPError>) -> Void
    ) {
        guard let request = guarded(request) else {
            return done(.failure(.unreachable(.addressRefused)))
        }
        client.send(request, begun: begun, done)
    }

    /// - Returns: nil for what may not be called at any address.
    private func guarded(_ request: HTTPRequest) -> HTTPRequest? {
        guard let target = HTTPTarget(request.url) else { return nil }
        var request = request
        // One connection is kept for one host, port and protocol, and what is admitted depends on
        // nothing else.
        request.admits = { [targets] in targets.admit(target, at: $0) }
        return request
    }
}
