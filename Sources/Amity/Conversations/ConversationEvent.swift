import Foundation
import JSONReading
import Postgres

/// A row of `conversation_events`, as far as its score needs it.
struct ConversationEvent: Sendable {
    var id: Int
    var conversationID: ExactText
    var userID: ExactText
    var botType: String
    var botID: String
    /// PROCESSED or SKIPPED: counted already, or somebody's decision that it shall not count.
    var isSettled: Bool
    /// The topic that the event's agent leads to, by the user's level.
    var topics: [ExactText: ExactText] = [:]
    /// nil when it is settled or was not asked for.
    var logJSON: Data?
}

extension ConversationEvent {
    /// Reads the rows of `SQL.loadEvents` or `SQL.claimEvents`.
    static func all(in rows: Rows) -> [ExactText: ConversationEvent] {
        var events: [ExactText: ConversationEvent] = [:]
        for row in 0..<rows.count {
            let event = ConversationEvent(rows, row)
            events[event.conversationID] = event
        }
        return events
    }

    private init(_ rows: Rows, _ row: Int) {
        id = rows.integer(row, 0) ?? 0
        conversationID = ExactText(rows.string(row, 1) ?? "")
        userID = ExactText(rows.string(row, 2) ?? "")
        botType = rows.string(row, 3) ?? ""
        botID = rows.string(row, 4) ?? ""
        isSettled = rows.string(row, 5) == "t"
        topics = rows.data(row, 6).map(Self.topics) ?? [:]
        logJSON = rows.data(row, 7)
    }

    /// Reads an object of texts, made by the server.
    private static func topics(_ json: Data) -> [ExactText: ExactText] {
        do throws(JSONReader.Malformed) {
            return try JSONReader.read(json) { json throws(JSONReader.Malformed) in
                var topics: [ExactText: ExactText] = [:]
                try json.enter()
                while let level = try json.nextKey() {
                    guard let topic = try json.readText().string, let level = level.string
                    else { throw JSONReader.Malformed() }
                    topics[ExactText(level)] = ExactText(topic)
                }
                return topics
            }
        } catch {
            preconditionFailure("the server aggregates texts into JSON")
        }
    }
}
