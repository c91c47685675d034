import Conversations
import DeadLetters
import Foundation
import FriendshipScoring
import JSON

/// How a conversation's score came about, or why it has none yet. Never anything that was said.
package struct Explanation: Encodable, Sendable {
    /// Where the conversation stands.
    package enum State: String, Encodable, Sendable {
        case scored
        /// Another service or an operator decided that it does not count.
        case skipped
        /// There is no such row.
        case unknown
        /// Its message has not been processed, or a consumer holds it.
        case queued
        /// A worker of another kind has it, or had it when it died.
        case processing
        /// It failed and will be tried again.
        case delayed
        /// It failed for good.
        case dead
    }

    package var conversationID: String
    package var userID: String?
    package var state: State
    /// What that means, and what happens next, in sentences.
    package var because: [String] = []
    package var status: String?
    /// Runs so far that are written in its row.
    package var attempts = 0
    /// UTC, as are all times.
    package var createdAt: String?
    package var processedAt: String?
    package var nextAttemptAt: String?
    package var errorCode: String?
    /// As written by the process that recorded the failure.
    package var errorDetails: String?
    package var score: Score?
    /// What of its analysis is paid for and waits for the rest.
    package var paid: Paid?
    package var deadLetters: [DeadLetter] = []

    package init(conversationID: String, state: State) {
        self.conversationID = conversationID
        self.state = state
    }

    /// The score, part by part.
    package struct Score: Encodable, Sendable {
        package var parts: [Part]
        /// As it was applied.
        package var change: Double
        /// The same by the weights that are set now; they differ when those were others.
        package var changeByWeights: Double
        /// nil where the row does not say: scored by another service.
        package var scoreBefore: Double?
        package var scoreAfter: Double?
        package var levelBefore: String?
        package var levelAfter: String?
        package var sources: AnalysisSources?
    }

    package struct Part: Encodable, Sendable {
        package var name: String
        /// A count, or the emotion's name.
        package var value: String
        package var points: Double
        /// nil where the row does not say.
        package var source: String?
        /// Ids of the turns that count, once for each question or memory; nil where another than
        /// the built-in analysis counted, or its rules have changed since.
        package var turns: [Int]?
    }

    package struct Paid: Encodable, Sendable {
        package var questions: Int?
        package var emotion: String?
        package var model: String?
        package var memories: Int?
    }

    /// As one line, for programs.
    package var json: String {
        get throws { try JSONEncoder.api.text(self) }
    }
}

extension Explanation.Score {
    /// - Parameters:
    ///   - details: the content of `score_calculation_details`, where it could be read.
    ///   - counted: what the built-in analysis counts in the log.
    init(
        _ details: ScoreDetails,
        counted: CountedTurns?,
        change: Double,
        levelAfter: String?,
        weights: ScoreWeights
    ) {
        let sources = details.sources ?? (details.before == nil ? nil : .init(all: .zeros))
        let exchanges = details.total_turns ?? 0
        let questions = details.user_initiated_questions ?? 0
        let emotion = details.session_emotion ?? "neutral"
        let memories = details.new_memories_count ?? 0
        func turns(_ counted: [Int]?, _ source: AnalysisSource?, count: Int) -> [Int]? {
            source == .builtIn && counted?.count == count ? counted : nil
        }
        let emotionPoints = weights.points(forEmotion: emotion)
        parts = [
            .init(
                name: "turns",
                value: "\(exchanges)",
                points: Double(exchanges) * weights.perTurn,
                source: "log"
            ),
            .init(
                name: "questions",
                value: "\(questions)",
                points: Double(questions) * weights.perQuestion,
                source: sources?.questions.rawValue,
                turns: turns(counted?.questions, sources?.questions, count: questions)
            ),
            .init(
                name: "emotion",
                value: emotion,
                points: emotionPoints,
                source: sources?.emotion.rawValue
            ),
            .init(
                name: "memories",
                value: "\(memories)",
                points: Double(memories) * weights.perMemory,
                source: sources?.memories.rawValue,
                turns: turns(counted?.memories, sources?.memories, count: memories)
            ),
        ]
        self.change = change
        changeByWeights = max(0, parts.reduce(0) { $0 + $1.points })
        self.levelAfter = levelAfter
        self.sources = sources
        if let before = details.before {
            scoreBefore = before
            scoreAfter = max(0, before + change)
            levelBefore = FriendshipLevel(score: before).rawValue
        }
    }
}

/// The members of `score_calculation_details`, whichever service wrote it.
struct ScoreDetails: Decodable {
    var total_turns: Int?
    var user_initiated_questions: Int?
    var session_emotion: String?
    var new_memories_count: Int?
    /// The friendship's score; an earlier Amity called it by the other name.
    var score_before: Double?
    var friendship_score_before: Double?
    var sources: AnalysisSources?

    var before: Double? { score_before ?? friendship_score_before }
}
