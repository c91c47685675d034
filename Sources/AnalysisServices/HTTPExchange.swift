import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// One request to a service and its whole answer. Redirects are not followed: they would carry keys and
/// children's talk to wherever somebody points.
struct HTTPExchange: Sendable {
    typealias Method = HTTPMethod

    struct Answer: Sendable {
        var status: Int
        /// As the service wrote it.
        var retryAfter: String?
        /// Empty unless the status is one of 200 to 299.
        var body: [UInt8]
    }

    private let client: HTTPClient
    private let group: MultiThreadedEventLoopGroup
    /// Most bytes of an answer. Chosen: a hundred times what an answer of use has.
    private static let longestAnswer = 256 << 10

    /// - Parameter connections: most to one host at once.
    init(connections: Int) {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.timeout.connect = .seconds(5)
        // One connection for each request under way, so that none waits for another's in the pool, and
        // one that breaks takes no other along.
        configuration.httpVersion = .http1Only
        configuration.connectionPool = .init(
            idleTimeout: .seconds(15),
            concurrentHTTP1ConnectionsPerHostSoftLimit: connections
        )
        // Whether to try again is decided where the breaker is.
        configuration.connectionPool.retryConnectionEstablishment = false
        // Waiting costs no thread, and there is hardly anything else to do.
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        client = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
    }

    func stop() async {
        do {
            try await client.shutdown()
            try await group.shutdownGracefully()
        } catch {
            // Stopped before: there is nothing left to stop.
        }
    }

    /// - Parameters:
    ///   - body: nil for none.
    ///   - deadline: for all of it, down to the last byte of the answer.
    func send(
        _ method: Method,
        _ body: Data?,
        to url: String,
        key: String?,
        by deadline: ContinuousClock.Instant
    ) async throws(ServiceError) -> Answer {
        let result = await withTaskGroup(of: Result<Answer, ServiceError>.self) { race in
            race.addTask { await exchange(method, body, url, key, by: deadline) }
            race.addTask {
                do {
                    try await Task.sleep(until: deadline, clock: .continuous)
                    return .failure(.timeout)
                } catch {
                    return .failure(.cancelled)
                }
            }
            let first = await race.next() ?? .failure(.cancelled)
            race.cancelAll()
            return first
        }
        if case .failure = result, Task.isCancelled { throw .cancelled }
        return try result.get()
    }

    private func exchange(
        _ method: Method,
        _ body: Data?,
        _ url: String,
        _ key: String?,
        by deadline: ContinuousClock.Instant
    ) async -> Result<Answer, ServiceError> {
        var request = HTTPClientRequest(url: url)
        request.method = method
        request.headers.add(name: "accept", value: "application/json")
        request.headers.add(name: "user-agent", value: "amity")
        if let key { request.headers.add(name: "authorization", value: "Bearer \(key)") }
        if let body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: body))
        }
        let left = ContinuousClock.now.duration(to: deadline)
        do {
            let response = try await client.execute(
                request,
                timeout: .nanoseconds(max(0, Int64(left / .nanoseconds(1))))
            )
            let status = Int(response.status.code)
            var bytes: [UInt8] = []
            if (200..<300).contains(status) {
                bytes = Array(buffer: try await response.body.collect(upTo: Self.longestAnswer))
            }
            let retryAfter = response.headers.first(name: "retry-after")
            return .success(Answer(status: status, retryAfter: retryAfter, body: bytes))
        } catch is NIOTooManyBytesError {
            return .failure(.tooLarge)
        } catch is CancellationError {
            return .failure(.cancelled)
        } catch let error as HTTPClientError where Self.timeouts.contains(error) {
            return .failure(.timeout)
        } catch {
            // Refused, reset, cut off, a name nobody knows, a certificate that is wrong.
            return .failure(.unreachable(ConnectionFailure(error)))
        }
    }

    private static let timeouts: [HTTPClientError] = [
        .deadlineExceeded, .connectTimeout, .readTimeout, .writeTimeout, .tlsHandshakeTimeout,
        .getConnectionFromPoolTimeout,
    ]
}
