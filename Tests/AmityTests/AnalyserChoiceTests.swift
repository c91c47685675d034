import FriendshipScoring
import Logging
import Testing

@testable import Conversations
@testable import Settings

struct AnalyserChoiceTests {
    private func analyser(_ text: String?) throws -> any LocalAnalyser {
        let values = SettingValues { $0 == "LLM_ANALYSIS_ENABLED" ? text : nil }
        let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let chosen = try WorkerSettings(values).analysis.analyser(logger: quiet)
        return try #require(chosen as? any LocalAnalyser)
    }

    private func conversation(_ botType: String = "TALK") -> FinishedConversation {
        let items: [ConversationLog.Item] = [
            .init(speaker: .pika, text: "Bees make honey."),
            .init(speaker: .user, text: "Wow! Why? Why do they make honey? I like honey."),
        ]
        return FinishedConversation(
            conversationID: "c",
            userID: "u",
            botType: botType,
            log: ConversationLog(items: items)
        )
    }

    /// Fault: a team that has switched the Python service's analysis off gets points from
    /// elsewhere, or one that has never heard of it gets none.
    @Test func falseIsNothingAndNotSetIsBuiltIn() throws {
        for text in ["false", "False"] {
            #expect(try analyser(text).analyse(conversation()) == .none)
        }
        let expected = Analysis(
            userInitiatedQuestions: 1,
            sessionEmotion: "interesting",
            newMemoriesCount: 1
        )
        for text in [nil, ""] {
            let builtIn = try analyser(text)
            #expect(builtIn.isImmediate && builtIn.analyse(conversation()) == expected)
        }
    }

    @Test(arguments: [("NEXT_LESSON", 0), (" next_lesson\n", 0), ("NEXT_LESSON_2", 1), ("", 1)])
    func aLessonMakesNoMemories(botType: String, memories: Int) {
        let analysis = LexicalAnalyser().analyse(conversation(botType))
        #expect(analysis.newMemoriesCount == memories)
        #expect(analysis.userInitiatedQuestions == 1)
    }
}
