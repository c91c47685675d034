import FriendshipScoring
import Messaging

/// Finds the three numbers of a conversation that counting turns does not give.
package protocol Analyser: Sendable {
    /// Whether it would answer at once now, without a call to a service. Then conversations are
    /// read and scored in one go, unless others wait for their users; otherwise they are read first
    /// and locked only when it has answered.
    var isImmediate: Bool { get }

    /// Whether `isImmediate` may become true while a worker runs: then the worker must hold enough
    /// messages for a batch.
    var isSometimesImmediate: Bool { get }

    /// Whether what it answers costs something, and so is kept until it has had its effect.
    var isPaid: Bool { get }

    /// Whether it looks at what was said; otherwise logs come without their texts.
    var readsTexts: Bool { get }

    /// Called on a thread of the pool. With no transaction open and no session held when it may
    /// take its time; once for each run of a message, however often its transaction is redone.
    ///
    /// - Parameter limit: when to give up waiting; nil not to wait at all.
    /// - Returns: one answer for each conversation, in the same order.
    func analyse(
        _ conversations: [FinishedConversation],
        until limit: ContinuousClock.Instant?
    ) -> [AnalysisAnswer]

    /// A drain has begun, and ends so much later at the latest.
    func drain(within time: Duration)

    /// Called last.
    func stop()
}

extension Analyser {
    package var readsTexts: Bool { true }

    /// A thread that waits for an analysis waits for one: threads wait side by side, and a batch
    /// would wait for the slowest of its members.
    func batchLimit(_ wanted: Int) -> Int { isImmediate ? wanted : 1 }

    /// The same at its largest.
    package func largestBatch(_ wanted: Int) -> Int { isSometimesImmediate ? wanted : 1 }
}

/// What an analyser is told.
package struct FinishedConversation: Sendable {
    package var conversationID: String
    package var userID: String
    /// As stored, e.g. `NEXT_LESSON`.
    package var botType: String
    package var log: ConversationLog
    /// What of its analysis was paid for in an earlier run.
    package var paid = PaidAnalysis()
}

/// What an analyser has found out.
package struct AnalysisAnswer: Sendable {
    package enum Conclusion: Sendable {
        case found(SourcedAnalysis)
        /// Not now, and no other analyser is to stand in: the message is tried again later.
        case unavailable(Failure)
        /// Given up before there was an answer: a drain, or the limit.
        case interrupted
    }

    package var conclusion: Conclusion
    /// All that was paid for so far.
    package var paid = PaidAnalysis()
}

/// An analyser that is a function of the conversation alone: it calls no service and answers at
/// once.
package protocol LocalAnalyser: Analyser {
    var source: AnalysisSource { get }

    func analyse(_ conversation: FinishedConversation) -> Analysis
}

extension LocalAnalyser {
    package var isImmediate: Bool { true }
    package var isSometimesImmediate: Bool { isImmediate }
    package var isPaid: Bool { false }

    package func analyse(
        _ conversations: [FinishedConversation],
        until limit: ContinuousClock.Instant?
    ) -> [AnalysisAnswer] {
        conversations.map { conversation in
            let found = SourcedAnalysis(analyse(conversation), from: .init(all: source))
            return AnalysisAnswer(conclusion: .found(found))
        }
    }

    package func drain(within time: Duration) {}
    package func stop() {}
}

/// Looks for nothing: 0 questions, neutral, 0 memories, as the contract has it for an analysis that
/// is switched off.
package struct NoAnalyser: LocalAnalyser {
    package let source = AnalysisSource.zeros
    package let readsTexts = false

    package init() {}

    package func analyse(_ conversation: FinishedConversation) -> Analysis { .none }
}
