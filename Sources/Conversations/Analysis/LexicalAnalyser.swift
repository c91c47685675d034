import ConversationAnalysis
import Foundation
import FriendshipScoring

/// Calls no service, and applies the words and rules of `ConversationAnalysis`. A worker uses it
/// unless its settings choose another analyser.
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
    var isLesson: Bool { Self.isLesson(botType) }

    package static func isLesson(_ botType: String) -> Bool {
        botType.trimmingCharacters(in: .whitespacesAndNewlines).uppercased() == "NEXT_LESSON"
    }
}
