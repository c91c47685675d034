import Foundation
import Messaging
import Testing

@testable import Conversations
@testable import DeadLetters

private func deadLetter(conversation: String, user: String) throws -> DeadLetter {
    let body = try JSONEncoder().encode(["conversation_id": conversation, "user_id": user])
    return DeadLetter(Message(body: Array(body)))
}

struct DeadLetterFilterTests {
    /// Fault: one child's dead letters are purged when another's were meant, because Swift holds
    /// their ids for equal.
    @Test func usersAndConversationsAreToldApartByteForByte() throws {
        let (composed, decomposed) = ("m\u{1EB9}", "me\u{323}")
        #expect(composed == decomposed)
        var byUser = DeadLetterFilter()
        byUser.user = ExactText(composed)
        #expect(byUser.matches(try deadLetter(conversation: "c", user: composed)))
        #expect(!byUser.matches(try deadLetter(conversation: "c", user: decomposed)))

        byUser.conversationsOfUser = [ExactText(composed)]
        #expect(byUser.matches(try deadLetter(conversation: composed, user: "other")))
        #expect(!byUser.matches(try deadLetter(conversation: decomposed, user: "other")))

        var byConversation = DeadLetterFilter()
        byConversation.conversationIDs = [ExactText(composed)]
        #expect(byConversation.matches(try deadLetter(conversation: composed, user: "u")))
        #expect(!byConversation.matches(try deadLetter(conversation: decomposed, user: "u")))
    }
}
