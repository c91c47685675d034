import AMQP
import AsyncHTTPClient
import Foundation
import Settings
import WorkerRuntime

/// Asks the broker's management plugin, read-only.
struct ManagementProbe {
    let endpoint: ManagementEndpoint
    let broker: Endpoint
    let topology: Topology

    /// Chosen: a queue's description has a few kilobytes, a list of connections can have many.
    private static let largestAnswer = 16 << 20

    private enum Failure: Error { case refused(UInt), unreadable }

    func look() async -> ManagementSight {
        do {
            return .seen(try await report())
        } catch Failure.refused(let status) {
            return .failed("it answered \(status)")
        } catch Failure.unreadable {
            return .failed("what answered is no management plugin")
        } catch {
            // Not the error's own words: they may quote the URL.
            return .failed("it cannot be reached (\(type(of: error)))")
        }
    }

    private func report() async throws -> ManagementReport {
        let asked = Date()
        let (overview, date) = try await get(Overview.self, "overview")
        let half = Date().timeIntervalSince(asked) / 2
        var report = ManagementReport(
            version: overview.rabbitmq_version,
            queues: [:],
            consumers: [],
            alarms: []
        )
        // The header has the second that has begun.
        report.skew = date.map { $0.timeIntervalSince(asked) - half + 0.5 }
        for name in topology.queueNames {
            guard let queue = try await found(Queue.self, "queues", name) else { continue }
            report.queues[name] = .init(
                name: name,
                type: queue.type ?? "classic",
                arguments: queue.arguments?.values ?? [:],
                policy: queue.effective_policy_definition?.values ?? [:],
                state: queue.state,
                node: queue.node,
                isDurable: queue.durable ?? true,
                isAutoDelete: queue.auto_delete ?? false
            )
            if name == topology.names.main {
                report.consumers = try await consumers(of: queue)
            }
        }
        report.isBound = try await isBound()
        try await lookAtNodes(into: &report)
        return report
    }

    private func consumers(of queue: Queue) async throws -> [ManagementReport.Consumer] {
        let details = queue.consumer_details ?? []
        if details.isEmpty { return [] }
        let path = "vhosts/\(ManagementEndpoint.encoded(broker.virtualHost))/connections"
        let connections = try await get([Connection].self, path).value
        let names = Dictionary(
            connections.map { ($0.name, $0.user_provided_name) },
            uniquingKeysWith: { first, _ in first }
        )
        return details.map { consumer in
            let connection = consumer.channel_details.connection_name
            let name = names[connection].flatMap(\.self)
            return .init(
                connection: name ?? connection,
                isAmity: name?.hasPrefix("amity ") ?? false,
                priority: consumer.priority
            )
        }
    }

    private func isBound() async throws -> Bool? {
        guard
            let bindings = try await found(
                [Binding].self,
                "exchanges",
                topology.exchange,
                "bindings/source"
            )
        else { return nil }
        return bindings.contains {
            $0.destination == topology.names.main && $0.routing_key == topology.routingKey
        }
    }

    private func lookAtNodes(into report: inout ManagementReport) async throws {
        do {
            let nodes = try await get([Node].self, "nodes").value
            report.nodes = nodes.count
            report.alarms = nodes.flatMap { node in
                (node.mem_alarm == true ? ["\(node.name) is short of memory"] : [])
                    + (node.disk_free_alarm == true ? ["\(node.name) is short of disk"] : [])
            }
        } catch Failure.refused {
            return  // A user with the tag `management` sees its queues, not the nodes.
        }
    }

    // MARK: HTTP

    /// nil for what is not there.
    private func found<Value: Decodable>(
        _ type: Value.Type,
        _ kind: String,
        _ name: String,
        _ rest: String = ""
    ) async throws -> Value? {
        do {
            let path = [
                kind, ManagementEndpoint.encoded(broker.virtualHost),
                ManagementEndpoint.encoded(name), rest,
            ]
            return try await get(type, path.filter { !$0.isEmpty }.joined(separator: "/")).value
        } catch Failure.refused(404) { return nil }
    }

    private func get<Value: Decodable>(
        _ type: Value.Type,
        _ path: String
    ) async throws -> (value: Value, date: Date?) {
        var request = HTTPClientRequest(url: "\(endpoint.url)/api/\(path)")
        request.headers.add(name: "authorization", value: try endpoint.authorization())
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(5))
        guard response.status == .ok else { throw Failure.refused(response.status.code) }
        let body = try await response.body.collect(upTo: Self.largestAnswer)
        do {
            let value = try JSONDecoder().decode(type, from: Data(body.readableBytesView))
            return (value, response.headers.first(name: "date").flatMap(Self.date))
        } catch is DecodingError { throw Failure.unreadable }
    }

    private static func date(_ text: String) -> Date? {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(identifier: "GMT")
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss zzz"
        return formatter.date(from: text)
    }
}

// MARK: - What it answers, with its own names

private struct Overview: Decodable { var rabbitmq_version: String }

private struct Queue: Decodable {
    struct Consumer: Decodable {
        struct Channel: Decodable { var connection_name: String }
        var channel_details: Channel
        var arguments: Arguments?

        var priority: Int64? {
            if case .integer(let value) = arguments?.values["x-priority"] { value } else { nil }
        }
    }

    var type: String?
    var state: String?
    var node: String?
    var durable: Bool?
    var auto_delete: Bool?
    var arguments: Arguments?
    var effective_policy_definition: Arguments?
    var consumer_details: [Consumer]?
}

private struct Connection: Decodable {
    var name: String
    var user_provided_name: String?
}

private struct Binding: Decodable {
    var destination: String
    var routing_key: String
}

private struct Node: Decodable {
    var name: String
    var mem_alarm: Bool?
    var disk_free_alarm: Bool?
}

/// A table of scalars; an empty one may come as an empty list.
private struct Arguments: Decodable {
    private struct Scalar: Decodable {
        var value: HeaderValue?

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let bool = try container.decode(if: Bool.self) {
                value = .bool(bool)
            } else if let integer = try container.decode(if: Int64.self) {
                value = .integer(integer)
            } else if let text = try container.decode(if: String.self) {
                value = .string(text)
            }
        }
    }

    var values: [String: HeaderValue] = [:]

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let table = try container.decode(if: [String: Scalar].self) {
            values = table.compactMapValues(\.value)
        }
    }
}

extension SingleValueDecodingContainer {
    /// nil for a value of another type.
    fileprivate func decode<Value: Decodable>(if type: Value.Type) throws -> Value? {
        do {
            return try decode(type)
        } catch DecodingError.typeMismatch, DecodingError.dataCorrupted { return nil }
    }
}
