import FriendshipScoring
import Testing

@testable import Amity

struct AnalyserChoiceTests {
    private func choice(_ text: String?) throws -> AnalyserChoice {
        let values = SettingValues { $0 == "LLM_ANALYSIS_ENABLED" ? text : nil }
        return try WorkerSettings(values).analysis
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

    /// Fault: a team that has switched the Python service's analysis off gets points from elsewhere,
    /// or one that has never heard of it gets none.
    @Test func falseIsNothingAndNotSetIsBuiltIn() throws {
        #expect(try choice("false") == .none && choice("False") == .none)
        #expect(try choice(nil) == .builtIn && choice("") == .builtIn)
        let off = try choice("false").analyser
        #expect(off.isImmediate && off.analyse(conversation()) == .none)
        let builtIn = try choice(nil).analyser
        let expected = Analysis(
            userInitiatedQuestions: 1,
            sessionEmotion: "interesting",
            newMemoriesCount: 1
        )
        #expect(builtIn.isImmediate && builtIn.analyse(conversation()) == expected)
    }

    /// A team that counts on its services shall not be given something else in silence.
    @Test(arguments: ["true", "TRUE", "yes"])
    func whatItCannotDoIsRefused(text: String) {
        #expect(throws: SettingsError.self) { try choice(text) }
    }

    @Test(arguments: [("NEXT_LESSON", 0), (" next_lesson\n", 0), ("NEXT_LESSON_2", 1), ("", 1)])
    func aLessonMakesNoMemories(botType: String, memories: Int) {
        let analysis = LexicalAnalyser().analyse(conversation(botType))
        #expect(analysis.newMemoriesCount == memories)
        #expect(analysis.userInitiatedQuestions == 1)
    }
}
