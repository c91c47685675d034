import Foundation
import HTTPCalling
import Settings

/// Asks the broker's management plugin what AMQP cannot tell, read-only. Each question blocks the
/// calling thread, for seconds at most.
package struct ManagementAPI {
    private let endpoint: ManagementEndpoint
    private let virtualHost: String
    private let patience: Duration
    private let client = HTTPClient(connections: 1)

    /// Chosen: a queue's description has a few kilobytes, a list of some thousand connections many.
    private static let largestAnswer = 16 << 20

    /// - Parameter patience: for each answer.
    package init(
        _ endpoint: ManagementEndpoint,
        virtualHost: String,
        patience: Duration = .seconds(3)
    ) {
        self.endpoint = endpoint
        self.virtualHost = virtualHost
        self.patience = patience
    }

    /// - Returns: with it the broker's time, where it tells.
    package func overview() throws(ManagementError) -> (Overview, date: Date?) {
        try get(Overview.self, ["overview"])
    }

    /// nil for one that is not there.
    package func queue(_ name: String) throws(ManagementError) -> Queue? {
        try found { () throws(ManagementError) in
            try get(Queue.self, ["queues", virtualHost, name]).0
        }
    }

    package func consumers(of queue: Queue) throws(ManagementError) -> [Consumer] {
        let details = queue.consumer_details ?? []
        if details.isEmpty { return [] }
        // A list of all connections is long: only where it has something to tell.
        let (connections, _) = try get([Connection].self, ["vhosts", virtualHost, "connections"])
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

    /// Those that begin at an exchange; nil where there is none of that name.
    package func bindings(from exchange: String) throws(ManagementError) -> [Binding]? {
        try found { () throws(ManagementError) in
            let path = ["exchanges", virtualHost, exchange, "bindings", "source"]
            return try get([Binding].self, path).0
        }
    }

    /// nil for a user with the tag `management`, who sees its queues, not the nodes.
    package func nodes() throws(ManagementError) -> [Node]? {
        do throws(ManagementError) {
            return try get([Node].self, ["nodes"]).0
        } catch {
            if case .refused = error { return nil }
            throw error
        }
    }

    /// nil for what is not there.
    private func found<Value>(
        _ ask: () throws(ManagementError) -> Value
    ) throws(ManagementError) -> Value? {
        do throws(ManagementError) {
            return try ask()
        } catch {
            if case .refused(404) = error { return nil }
            throw error
        }
    }

    /// - Parameter path: segments as they are, not encoded.
    private func get<Value: Decodable>(
        _ type: Value.Type,
        _ path: [String]
    ) throws(ManagementError) -> (Value, date: Date?) {
        let segments = path.map(ManagementEndpoint.encoded).joined(separator: "/")
        var request = HTTPRequest(
            .get,
            "\(endpoint.url)/api/\(segments)",
            timeout: patience,
            responseLimit: Self.largestAnswer
        )
        do {
            request.headers["authorization"] = try endpoint.authorization()
        } catch {
            throw .unreachable("\(error)")
        }
        let response: HTTPResponse
        do throws(HTTPError) {
            response = try client.sendAndWait(request)
        } catch {
            throw .unreachable("\(error)")
        }
        guard response.status == 200 else { throw .refused(response.status) }
        do {
            let value = try JSONDecoder().decode(type, from: response.body)
            return (value, response.headers["date"].flatMap(Self.date))
        } catch {
            throw .unreadable
        }
    }

    private static func date(_ text: String) -> Date? {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(identifier: "GMT")
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss zzz"
        return formatter.date(from: text)
    }
}

/// Why the management plugin did not answer, safe to log.
package enum ManagementError: Error, CustomStringConvertible {
    /// With the cause.
    case unreachable(String)
    /// With the status of HTTP.
    case refused(Int)
    case unreadable

    package var description: String {
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
