import Conversations
import Foundation
import FriendshipScoring

/// Stands in for an analyser that calls a remote service: it waits, and returns no result.
package struct WaitingAnalyser: LocalAnalyser {
    package let isImmediate = false
    package let source = AnalysisSource.zeros
    private let seconds: Double

    package init(seconds: Double) {
        self.seconds = seconds
    }

    package func analyse(_ conversation: FinishedConversation) -> Analysis {
        Thread.sleep(forTimeInterval: seconds)
        return .none
    }
}
