import Conversations
import Foundation

/// Which dead letters a command is about; all conditions must hold.
package struct DeadLetterFilter: Sendable {
    package var code: String?
    package var ids: Set<String> = []
    package var conversationIDs: Set<ExactText> = []
    package var user: ExactText?
    /// Conversations of `user` by the database, for dead letters that do not name their user.
    package var conversationsOfUser: Set<ExactText> = []
    /// Dead letters of `user` by their rows: the conversation's own row may be gone by now.
    package var deadLettersOfUser: Set<String> = []
    /// Last failed before this instant.
    package var before: Date?
    /// Last failed at or after this instant.
    package var since: Date?

    package init() {}

    /// Whether it lets every dead letter through.
    package var isEmpty: Bool {
        code == nil && ids.isEmpty && conversationIDs.isEmpty && user == nil && before == nil
            && since == nil
    }

    package func matches(_ deadLetter: DeadLetter) -> Bool {
        if let code, deadLetter.code != code { return false }
        if !ids.isEmpty, !ids.contains(deadLetter.id) { return false }
        // Byte for byte: a dead letter of another child must not be taken for this one's.
        let conversation = deadLetter.conversationID.map(ExactText.init)
        if !conversationIDs.isEmpty, conversation.map(conversationIDs.contains) != true {
            return false
        }
        if let user, deadLetter.userID.map(ExactText.init) != user,
            !deadLettersOfUser.contains(deadLetter.id),
            conversation.map(conversationsOfUser.contains) != true
        {
            return false
        }
        if before == nil && since == nil { return true }
        // ISO 8601 as the retry policy writes it; a dead letter of unknown age is of no age asked
        // for.
        guard let failed = Self.date(deadLetter.lastFailureAt) else { return false }
        return failed < (before ?? .distantFuture) && failed >= (since ?? .distantPast)
    }

    static func date(_ text: String) -> Date? {
        do {
            return try Date(text, strategy: .iso8601)
        } catch {
            return nil
        }
    }
}
