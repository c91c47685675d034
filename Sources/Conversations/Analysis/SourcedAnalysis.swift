import Foundation
import FriendshipScoring
import JSON

/// Where a number comes from.
package enum AnalysisSource: String, Sendable, Codable {
    /// Amity's own rules, which call no service.
    case builtIn = "built-in"
    /// No source: what the contract counts for an analysis that is switched off or fails.
    case zeros
    case llm
    case memoryService = "memory-service"
    /// No service was to be called: the user said nothing, or the lesson is of a kind that makes
    /// no memories.
    case skipped
}

/// Where each number comes from, as it is written next to the score.
package struct AnalysisSources: Sendable, Equatable, Codable {
    package var questions: AnalysisSource
    package var emotion: AnalysisSource
    package var memories: AnalysisSource
    /// Which model, where one was asked and answered.
    package var model: String?
    /// Why the chat model gave none, e.g. `timeout`.
    package var llmFailure: String?
    /// Why the memory service gave none.
    package var memoryFailure: String?

    private enum CodingKeys: String, CodingKey {
        case questions, emotion, memories, model
        case llmFailure = "llm_failure"
        case memoryFailure = "memory_service_failure"
    }

    package init(all source: AnalysisSource) {
        questions = source
        emotion = source
        memories = source
    }

    /// A word stands for three that are the same.
    package init(from decoder: any Decoder) throws {
        // What is no such word has to be an object, and says below what is wrong with it.
        if let source = try? decoder.singleValueContainer().decode(AnalysisSource.self) {
            questions = source
            emotion = source
            memories = source
            return
        }
        let members = try decoder.container(keyedBy: CodingKeys.self)
        questions = try members.decode(AnalysisSource.self, forKey: .questions)
        emotion = try members.decode(AnalysisSource.self, forKey: .emotion)
        memories = try members.decode(AnalysisSource.self, forKey: .memories)
        model = try members.decodeIfPresent(String.self, forKey: .model)
        llmFailure = try members.decodeIfPresent(String.self, forKey: .llmFailure)
        memoryFailure = try members.decodeIfPresent(String.self, forKey: .memoryFailure)
    }

    /// As JSON, built by hand: an encoder takes longer than all the rest of scoring. nil for zeros,
    /// which need not be said: a row's few bytes more may be those by which the database keeps its
    /// log elsewhere, and that costs more than all else that is written.
    var json: String? {
        if self == AnalysisSources(all: .zeros) { return nil }
        if self == AnalysisSources(all: questions) { return "\"\(questions.rawValue)\"" }
        // Amity's own codes hold nothing to escape; a model's name may be any text.
        var json = """
            {"questions":"\(questions.rawValue)","emotion":"\(emotion.rawValue)",\
            "memories":"\(memories.rawValue)"
            """
        if let model { json += #","model":\#(JSONValue.string(model))"# }
        if let llmFailure { json += #","llm_failure":"\#(llmFailure)""# }
        if let memoryFailure { json += #","memory_service_failure":"\#(memoryFailure)""# }
        return json + "}"
    }
}

/// The three numbers and where they come from.
package struct SourcedAnalysis: Sendable, Equatable {
    package var analysis: Analysis
    package var sources: AnalysisSources

    package init(_ analysis: Analysis, from sources: AnalysisSources) {
        self.analysis = analysis
        self.sources = sources
    }
}

/// A score and where its numbers come from.
struct ScoredConversation: Sendable {
    var score: ConversationScore
    var sources: AnalysisSources

    /// How the score came about, as JSON, by hand as `AnalysisSources.json`. The first five members
    /// are the contract's.
    func details(scoreBefore: Double) -> String {
        let details = """
            {"total_turns":\(score.totalTurns),\
            "session_emotion":\(JSONValue.string(score.sessionEmotion)),\
            "user_initiated_questions":\(score.userInitiatedQuestions),\
            "new_memories_count":\(score.newMemoriesCount),\
            "total_exchange_score":\(JSONValue.number(score.change)),\
            "score_before":\(JSONValue.number(scoreBefore))
            """
        return details + (sources.json.map { #","sources":\#($0)}"# } ?? "}")
    }
}

/// Numbers that services were paid for, kept until the conversation is settled. nil for what is not
/// known yet.
package struct PaidAnalysis: Sendable, Equatable {
    package var questions: Int?
    package var emotion: String?
    /// Which model gave those two.
    package var model: String?
    package var memories: Int?

    package var isEmpty: Bool { self == PaidAnalysis() }
}
