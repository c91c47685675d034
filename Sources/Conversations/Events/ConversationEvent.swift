import Foundation
import Messaging

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

extension Failure {
    static func invalidEvent(_ what: String) -> Failure {
        Failure(code: "INVALID_EVENT", reason: "conversation_events: \(what)")
    }

    static func invalidFriendship(_ what: String) -> Failure {
        Failure(code: "INVALID_FRIENDSHIP", reason: "friendship_status: \(what)")
    }
}
