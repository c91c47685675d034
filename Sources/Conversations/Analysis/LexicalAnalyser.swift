import ConversationAnalysis
import Foundation
import FriendshipScoring

/// Asks nobody, and knows the words and rules of `ConversationAnalysis`: what a worker uses where
/// nothing else is said.
package struct LexicalAnalyser: LocalAnalyser {
    package let source = AnalysisSource.builtIn

    package init() {}

    package func analyse(_ conversation: FinishedConversation) -> Analysis {
        var analysis = Analysis(reading: conversation.log)
        if conversation.isLesson { analysis.newMemoriesCount = 0 }
        return analysis
    }
}

extension FinishedConversation {
    /// A lesson makes no memories: the contract spares it the memory service.
    var isLesson: Bool {
        botType.trimmingCharacters(in: .whitespacesAndNewlines).uppercased() == "NEXT_LESSON"
    }
}
