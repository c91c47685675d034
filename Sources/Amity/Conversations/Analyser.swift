import FriendshipScoring

/// Finds the three numbers of a conversation that counting turns does not give.
///
/// Called on a thread of the pool with no transaction open and no session held, so it may take as
/// long as it needs; once for each run of a message, however often its transaction is redone.
package protocol Analyser: Sendable {
    /// Whether it answers at once. Then conversations are read and scored in one go; otherwise they are
    /// read first and locked only when it has answered.
    var isImmediate: Bool { get }

    func analyse(_ conversation: FinishedConversation) -> Analysis
}

extension Analyser {
    /// Who waits for an analysis waits for one: threads wait side by side, and a batch would wait for the
    /// sum of its members'.
    func batchLimit(_ wanted: Int) -> Int { isImmediate ? wanted : 1 }
}

/// What an analyser is told.
package struct FinishedConversation: Sendable {
    package var conversationID: String
    package var userID: String
    /// As stored, e.g. `NEXT_LESSON`.
    package var botType: String
    package var log: ConversationLog
}

/// Looks for nothing: 0 questions, neutral, 0 memories, as the contract has it for an analysis that is
/// switched off.
package struct NoAnalyser: Analyser {
    package let isImmediate = true

    package init() {}

    package func analyse(_ conversation: FinishedConversation) -> Analysis { .none }
}
