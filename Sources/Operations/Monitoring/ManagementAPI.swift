import AsyncHTTPClient
import Foundation
import NIOCore
import Settings

/// Asks the broker's management plugin what AMQP cannot tell. Blocks the calling thread, for seconds at
/// most.
struct ManagementAPI {
    private let endpoint: ManagementEndpoint
    private let virtualHost: String

    private static let patience: TimeAmount = .seconds(3)
    /// Chosen: a list of some thousand connections.
    private static let largestAnswer = 8 << 20
    /// Chosen: what a person reads.
    private static let mostNames = 10

    init(_ endpoint: ManagementEndpoint, virtualHost: String) {
        self.endpoint = endpoint
        self.virtualHost = virtualHost
    }

    /// Messages of a queue that its consumers have in hand.
    func unacked(of queue: String) throws(ManagementError) -> Int {
        struct Queue: Decodable { var messages_unacknowledged: Int }
        return try get(Queue.self, path(of: queue)).messages_unacknowledged
    }

    /// Consumers of a queue that are no workers, by the name of their connection.
    func foreignConsumers(of queue: String) throws(ManagementError) -> [String] {
        struct Queue: Decodable {
            struct Consumer: Decodable {
                struct Channel: Decodable { var connection_name: String }
                var channel_details: Channel
            }
            var consumer_details: [Consumer]?
        }
        struct Connection: Decodable {
            var name: String
            var user_provided_name: String?
        }
        let consumers = try get(Queue.self, path(of: queue)).consumer_details ?? []
        let host = ManagementEndpoint.encoded(virtualHost)
        let connections = try get([Connection].self, "/api/vhosts/\(host)/connections")
        let given = Dictionary(
            connections.map { ($0.name, $0.user_provided_name) },
            uniquingKeysWith: { first, _ in first }
        )
        let names = consumers.map { consumer in
            let name = consumer.channel_details.connection_name
            return (given[name].flatMap(\.self) ?? name).storable
        }
        return Array(names.filter { !$0.hasPrefix("amity ") }.prefix(Self.mostNames))
    }

    private func path(of queue: String) -> String {
        let segments = [virtualHost, queue].map(ManagementEndpoint.encoded)
        return "/api/queues/\(segments.joined(separator: "/"))"
    }

    private func get<Value: Decodable>(
        _ type: Value.Type,
        _ path: String
    ) throws(ManagementError) -> Value {
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
            return try JSONDecoder().decode(type, from: body)
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
