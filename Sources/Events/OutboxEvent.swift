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

    var message: Message {
        var properties = MessageProperties()
        properties.contentType = "application/json"
        properties.messageID = headers["cloudEvents:id"]
        properties.headers = headers.mapValues { .string($0) }
        return Message(properties: properties, body: Array(body.utf8))
    }

    /// Events that may be on their way at the same time: each wave holds one of a subject at most.
    /// The next one's begins when the broker has confirmed this one. Else a queue that refuses one
    /// event and takes the next would get them in another order.
    static func waves(of events: [OutboxEvent]) -> [[OutboxEvent]] {
        var waves: [[OutboxEvent]] = []
        var counts: [String: Int] = [:]
        for event in events {
            let wave = counts[event.subject, default: 0]
            counts[event.subject] = wave + 1
            if wave == waves.count { waves.append([]) }
            waves[wave].append(event)
        }
        return waves
    }
}
