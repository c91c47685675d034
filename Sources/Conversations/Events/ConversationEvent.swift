import Foundation
import Messaging
import Postgres

/// A row of `conversation_events`, as far as its score needs it.
struct ConversationEvent: Sendable {
    var id: Int
    var conversationID: ExactText
    var userID: ExactText
    var botType: String
    var botID: String
    var agent: ExactText?
    /// PROCESSED or SKIPPED: counted already, or excluded from counting by another service's or an
    /// operator's decision.
    var isSettled: Bool
    /// nil when it is settled or was not asked for.
    var logJSON: Data?
    /// Why it cannot be scored, whatever was said in it; nil for nearly all.
    var defect: Failure?
}

extension ConversationEvent {
    /// Reads the rows of `SQL.readEvents`.
    static func all(in rows: Rows) -> [ExactText: ConversationEvent] {
        var events: [ExactText: ConversationEvent] = [:]
        for row in 0..<rows.count {
            var event = ConversationEvent(rows, row)
            if let other = events[event.conversationID] {
                event = event.isSettled ? other : event
                // Which of them counts is not for us to say, and scoring each counts twice.
                event.defect = .invalidEvent("several rows have this conversation_id")
            }
            events[event.conversationID] = event
        }
        return events
    }

    private init(_ rows: Rows, _ row: Int) {
        id = rows.integer(row, 0) ?? 0
        conversationID = ExactText(rows.string(row, 1) ?? "")
        let user = rows.string(row, 2)
        userID = ExactText(user ?? "")
        botType = rows.string(row, 3) ?? ""
        botID = rows.string(row, 4) ?? ""
        agent = rows.string(row, 5).map(ExactText.init)
        isSettled = rows.string(row, 6) == "t"
        logJSON = rows.data(row, 7)
        if user == nil { defect = .invalidEvent("user_id is null") }
    }
}

extension Failure {
    static func invalidEvent(_ what: String) -> Failure {
        Failure(code: "INVALID_EVENT", reason: "conversation_events: \(what)")
    }

    static func invalidFriendship(_ what: String) -> Failure {
        Failure(code: "INVALID_FRIENDSHIP", reason: "friendship_status: \(what)")
    }
}
