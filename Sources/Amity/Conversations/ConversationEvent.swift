import Foundation
import Postgres

/// A row of `conversation_events`, as far as its score needs it.
struct ConversationEvent: Sendable {
    var id: Int
    var conversationID: ExactText
    var userID: ExactText
    var botType: String
    var botID: String
    var agent: ExactText?
    /// PROCESSED or SKIPPED: counted already, or somebody's decision that it shall not count.
    var isSettled: Bool
    /// nil when it is settled or was not asked for.
    var logJSON: Data?
}

extension ConversationEvent {
    /// Reads the rows of `SQL.readEvents`.
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
        agent = rows.string(row, 5).map(ExactText.init)
        isSettled = rows.string(row, 6) == "t"
        logJSON = rows.data(row, 7)
    }
}
