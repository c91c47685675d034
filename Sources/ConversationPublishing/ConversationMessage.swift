import Foundation
import JSON
import Messaging

extension Message {
    /// A new message that puts a conversation on the queue, with an id of its own. Its type is
    /// absent: that means a conversation.
    ///
    /// It never copies the log: the row is the truth, and what a child said has no business in the
    /// broker.
    ///
    /// - Parameters:
    ///   - user: sent by the service's own publisher, as is `bot`. Workers take the user for a hint
    ///     at which conversations not to score side by side.
    ///   - attempts: runs it has had before.
    package static func naming(
        _ conversation: String,
        user: String? = nil,
        bot: String? = nil,
        enqueuedAt: Date?,
        attempts: Int = 0
    ) -> Message {
        var properties = MessageProperties()
        properties.contentType = "application/json"
        properties.messageID = UUID().uuidString
        properties.timestamp = UInt64(Date().timeIntervalSince1970)
        if attempts > 0 {
            properties.headers[HeaderName.attempts] = .integer(Int64(attempts))
        }
        let members = [
            ("conversation_id", conversation), ("user_id", user), ("bot_id", bot),
            ("enqueued_at", enqueuedAt.map(text)),
        ].compactMap { name, value in value.map { "\"\(name)\":\(JSONValue.string($0))" } }
        let body = "{\(members.joined(separator: ","))}"
        return Message(properties: properties, body: Array(body.utf8))
    }

    /// ISO 8601 in UTC without a zone, as the service's own publisher writes it.
    private static func text(_ date: Date) -> String {
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        return String(date.formatted(style).dropLast())
    }
}
