import FriendshipScoring

/// Finds the three numbers of a conversation that counting turns does not give.
///
/// Called on a thread of the pool with no transaction open and no session held, so it may take as
/// long as it needs.
package protocol Analyser: Sendable {
    func analyse(_ log: ConversationLog) -> Analysis
}

/// Asks nobody: 0 questions, neutral, 0 memories, as the contract has it for an analysis that is
/// switched off.
package struct NoAnalyser: Analyser {
    package init() {}

    package func analyse(_ log: ConversationLog) -> Analysis { .none }
}
