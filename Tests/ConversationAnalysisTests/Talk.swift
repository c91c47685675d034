import FriendshipScoring

@testable import ConversationAnalysis

/// Questions of the child's in one item, after the robot has said something that asks nothing.
func questions(_ text: String, after robot: String = "The sun is a star.") -> Int {
    analysis([(.pika, robot), (.user, text)]).userInitiatedQuestions
}

func memories(_ text: String, after robot: String = "The sun is a star.") -> Int {
    analysis([(.pika, robot), (.user, text)]).newMemoriesCount
}

func emotion(_ texts: String..., after robot: String = "Tell me more about you.") -> String {
    analysis(texts.flatMap { [(.pika, robot), (.user, $0)] }).sessionEmotion
}

func analysis(_ items: [(Speaker, String)]) -> Analysis {
    Analysis(reading: ConversationLog(items: items.map { .init(speaker: $0.0, text: $0.1) }))
}
