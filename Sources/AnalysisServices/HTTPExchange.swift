import Foundation
import HTTPCalling

/// One request to a service and its whole answer. Redirects are not followed: they would carry keys
/// and children's talk to any address that an answer names.
struct HTTPExchange: Sendable {
    private let client: HTTPClient
    /// Most bytes of an answer. Chosen: a hundred times what an answer of use has.
    private static let longestAnswer = 256 << 10

    /// - Parameter connections: most that are kept for later requests.
    init(connections: Int) {
        client = HTTPClient(connections: connections)
    }

    func stop() { client.stop() }

    /// - Parameters:
    ///   - body: nil for none.
    ///   - deadline: for all of it, down to the last byte of the answer.
    func send(
        _ method: HTTPRequest.Method,
        _ body: Data?,
        to url: String,
        key: String?,
        by deadline: ContinuousClock.Instant
    ) async throws(ServiceError) -> HTTPResponse {
        var request = HTTPRequest(
            method,
            url,
            headers: ["accept": "application/json", "user-agent": "amity"],
            timeout: ContinuousClock.now.duration(to: deadline),
            responseLimit: Self.longestAnswer
        )
        if let key { request.headers["authorization"] = "Bearer \(key)" }
        if let body {
            request.headers["content-type"] = "application/json"
            request.body = body
        }
        do throws(HTTPError) {
            return try await client.send(request)
        } catch {
            throw Task.isCancelled ? .cancelled : ServiceError(error)
        }
    }
}

extension ServiceError {
    fileprivate init(_ error: HTTPError) {
        self =
            switch error {
            case .timeout: .timeout
            case .unreachable(let failure): .unreachable(failure)
            case .tooLarge: .tooLarge
            case .cancelled: .cancelled
            }
    }
}
