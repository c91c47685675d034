import FriendshipScoring
import Settings
import TestSupport
import Testing

@testable import Conversations
@testable import Daemon

struct AnalyserChoiceTests {
    private func analyser(_ text: String?) throws -> any LocalAnalyser {
        let values = SettingValues { $0 == "LLM_ANALYSIS_ENABLED" ? text : nil }
        let chosen = try WorkerSettings(values).analysis.analyser(logger: quiet)
        return try #require(chosen as? any LocalAnalyser)
    }

    private var conversation: FinishedConversation {
        let items: [ConversationLog.Item] = [
            .init(speaker: .pika, text: "Bees make honey."),
            .init(speaker: .user, text: "Wow! Why? Why do they make honey? I like honey."),
        ]
        return FinishedConversation(
            conversationID: "c",
            userID: "u",
            botType: "TALK",
            log: ConversationLog(items: items)
        )
    }

    @Test func theLogNamesTheChoice() throws {
        let asked = [
            "LLM_ANALYSIS_ENABLED": "true", "LLM_API_KEY": "k", "LLM_MODEL": "m",
            "MEMORY_API_URL": "http://localhost:1",
        ]
        for (variables, name) in [
            ([:], "built-in"), (["LLM_ANALYSIS_ENABLED": "False"], "zeros"), (asked, "services"),
        ] {
            let settings = try WorkerSettings(SettingValues { variables[$0] })
            #expect(settings.analysis.name == name)
        }
    }

    /// Fault: a team that has switched the Python service's analysis off gets points from
    /// elsewhere, or one that has never heard of it gets none.
    @Test func falseIsNothingAndNotSetIsBuiltIn() throws {
        for text in ["false", "False"] {
            #expect(try analyser(text).analyse(conversation) == .none)
        }
        let expected = Analysis(
            userInitiatedQuestions: 1,
            sessionEmotion: "interesting",
            newMemoriesCount: 1
        )
        for text in [nil, ""] {
            let builtIn = try analyser(text)
            #expect(builtIn.isImmediate && builtIn.analyse(conversation) == expected)
        }
    }
}
