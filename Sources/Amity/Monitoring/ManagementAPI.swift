import AsyncHTTPClient
import Foundation
import NIOCore

/// Asks the broker's management plugin what AMQP cannot tell. Blocks the calling thread, for seconds at
/// most.
struct ManagementAPI {
    private let endpoint: ManagementEndpoint
    private let virtualHost: String

    private static let patience: TimeAmount = .seconds(3)
    private static let largestAnswer = 1 << 20

    init(_ endpoint: ManagementEndpoint, virtualHost: String) {
        self.endpoint = endpoint
        self.virtualHost = virtualHost
    }

    /// Messages of a queue that its consumers have in hand.
    func unacked(of queue: String) throws(ManagementError) -> Int {
        struct Queue: Decodable { var messages_unacknowledged: Int }
        let segments = [virtualHost, queue].map(ManagementEndpoint.encoded)
        let path = "/api/queues/\(segments.joined(separator: "/"))"
        do {
            let request = try HTTPClient.Request(
                url: endpoint.url + path,
                headers: ["authorization": try endpoint.authorization()]
            )
            let response = try HTTPClient.shared.execute(
                request: request,
                delegate: ResponseAccumulator(request: request, maxBodySize: Self.largestAnswer),
                deadline: .now() + Self.patience
            ).wait()
            guard response.status == .ok else {
                throw ManagementError.refused(response.status.code)
            }
            let body = response.body.map { Data($0.readableBytesView) } ?? Data()
            return try JSONDecoder().decode(Queue.self, from: body).messages_unacknowledged
        } catch let error as ManagementError {
            throw error
        } catch is DecodingError {
            throw .unreadable
        } catch {
            throw .unreachable(HTTPFailure.text(error))
        }
    }
}

/// Why the management plugin did not answer, safe to log.
enum ManagementError: Error, CustomStringConvertible {
    /// With the cause.
    case unreachable(String)
    case refused(UInt)
    case unreadable

    var description: String {
        switch self {
        case .unreachable(let cause):
            "RABBITMQ_MANAGEMENT_URL: the management plugin cannot be reached: \(cause)"
        case .refused(let status):
            "RABBITMQ_MANAGEMENT_URL: the management plugin answered \(status)"
        case .unreadable:
            "RABBITMQ_MANAGEMENT_URL: what answered is no management plugin"
        }
    }
}
