import Messaging

/// Which events a listener wants: routing keys, with `*` for a word and `#` for any number.
package struct EventPattern: Sendable, Equatable {
    package let text: String

    /// - Returns: nil for what is longer than a routing key may be, or has characters that none
    ///   has.
    package init?(_ text: String) {
        let isRoutingKey = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
        guard (1...255).contains(text.utf8.count), isRoutingKey else { return nil }
        self.text = text
    }
}

/// What is told of an event: its attributes, never its data.
package struct EventNote: Encodable, Sendable, Equatable {
    package var id: String
    package var type: String
    package var subject: String
    /// As its sender wrote it.
    package var time: String

    package init(id: String, type: String, subject: String, time: String) {
        (self.id, self.type, self.subject, self.time) = (id, type, subject, time)
    }

    /// Another program may have published it: each part is cut to what ours need.
    init(_ message: Message) {
        func attribute(_ name: String) -> String {
            guard case .string(let value) = message.properties.headers["cloudEvents:\(name)"]
            else { return "" }
            return String(value.prefix(200))
        }
        self.init(
            id: attribute("id"),
            type: attribute("type"),
            subject: attribute("subject"),
            time: attribute("time")
        )
    }
}

/// What has come for a listener since it last looked.
package struct EventNotes: Encodable, Sendable, Equatable {
    /// Oldest first.
    package var events: [EventNote] = []
    /// Those that came too fast to be told.
    package var missed = 0
    /// Whether it hears what is published now.
    package var isListening = false
    /// Why not; safe to show.
    package var problem: String?

    package init() {}
}
