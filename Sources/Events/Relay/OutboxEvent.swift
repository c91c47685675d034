import Messaging

/// A row of the outbox that is to be published as it is.
struct OutboxEvent: Sendable {
    var id: Int
    var exchange: String
    var routingKey: String
    var headers: [String: String]
    /// JSON.
    var body: String

    /// Events of one subject are published in the order of their ids.
    var subject: String { headers["cloudEvents:subject"] ?? "" }

    var outgoing: ExchangePublisher.Outgoing {
        var properties = MessageProperties()
        properties.contentType = "application/json"
        properties.messageID = headers["cloudEvents:id"]
        properties.headers = headers.mapValues { .string($0) }
        let message = Message(properties: properties, body: Array(body.utf8))
        return .init(message, exchange: exchange, routingKey: routingKey)
    }
}
