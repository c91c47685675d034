import FriendshipScoring

/// Finds the three numbers of a conversation that counting turns does not give.
///
/// Called on a thread of the pool with no transaction open and no session held, so it may take as
/// long as it needs; once for each run of a message, however often its transaction is redone.
package protocol Analyser: Sendable {
    /// Whether it waits for somebody. Then deliveries wait side by side, each on its own thread:
    /// in a batch they would wait for each other.
    var waits: Bool { get }

    func analyse(_ conversation: FinishedConversation) -> Analysis
}

/// What an analyser is told.
package struct FinishedConversation: Sendable {
    package var conversationID: String
    package var userID: String
    /// As stored, e.g. `NEXT_LESSON`.
    package var botType: String
    package var log: ConversationLog
}

/// Asks nobody: 0 questions, neutral, 0 memories, as the contract has it for an analysis that is
/// switched off.
package struct NoAnalyser: Analyser {
    package let waits = false

    package init() {}

    package func analyse(_ conversation: FinishedConversation) -> Analysis { .none }
}
