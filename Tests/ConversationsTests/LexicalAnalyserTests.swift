import FriendshipScoring
import Testing

@testable import Conversations

struct LexicalAnalyserTests {
    private func conversation(_ botType: String) -> FinishedConversation {
        FinishedConversation(
            conversationID: "c",
            userID: "u",
            botType: botType,
            log: ConversationLog(items: [
                .init(speaker: .pika, text: "Bees make honey."),
                .init(speaker: .user, text: "Why do they make honey? I like honey."),
            ])
        )
    }

    @Test(arguments: [("NEXT_LESSON", 0), (" next_lesson\n", 0), ("NEXT_LESSON_2", 1), ("", 1)])
    func aLessonMakesNoMemories(botType: String, memories: Int) {
        let analysis = LexicalAnalyser().analyse(conversation(botType))
        #expect(analysis.newMemoriesCount == memories)
        #expect(analysis.userInitiatedQuestions == 1)
    }
}
