/// What each part of a conversation is worth, in points. The defaults are those of the service
/// that Amity replaces.
package struct ScoreWeights: Sendable, Equatable {
    package var perTurn: Double
    package var perQuestion: Double
    package var perMemory: Double
    package var interesting: Double
    package var boring: Double

    package init(
        perTurn: Double = 1,
        perQuestion: Double = 3,
        perMemory: Double = 5,
        interesting: Double = 15,
        boring: Double = -15
    ) {
        self.perTurn = perTurn
        self.perQuestion = perQuestion
        self.perMemory = perMemory
        self.interesting = interesting
        self.boring = boring
    }

    /// Points for an emotion, in any case; 0 for all but `interesting` and `boring`.
    package func points(forEmotion emotion: String) -> Double {
        switch emotion.lowercased() {
        case "interesting": interesting
        case "boring": boring
        case _: 0
        }
    }
}

/// The three numbers that counting turns does not give.
package struct Analysis: Sendable, Equatable {
    /// How often the user asked of their own accord, 0 or more.
    package var userInitiatedQuestions: Int
    /// One of interesting, boring, neutral, angry, happy, sad; anything else is worth 0 points.
    package var sessionEmotion: String
    /// Memories made from the conversation, 0 or more.
    package var newMemoriesCount: Int

    package init(userInitiatedQuestions: Int, sessionEmotion: String, newMemoriesCount: Int) {
        self.userInitiatedQuestions = userInitiatedQuestions
        self.sessionEmotion = sessionEmotion
        self.newMemoriesCount = newMemoriesCount
    }

    /// What an analysis that is switched off counts.
    package static let none = Analysis(
        userInitiatedQuestions: 0,
        sessionEmotion: "neutral",
        newMemoriesCount: 0
    )
}

/// What one conversation moves, and why.
package struct ConversationScore: Sendable, Equatable {
    package var totalTurns: Int
    package var sessionEmotion: String
    package var userInitiatedQuestions: Int
    package var newMemoriesCount: Int
    /// The change, in points, 0 or more.
    package var change: Double

    /// `max(0, turns + questions + emotion + memories)`, each times its weight.
    package init(of log: ConversationLog, analysis: Analysis, weights: ScoreWeights = .init()) {
        totalTurns = log.turnCount
        sessionEmotion = analysis.sessionEmotion
        userInitiatedQuestions = analysis.userInitiatedQuestions
        newMemoriesCount = analysis.newMemoriesCount
        change = max(
            0,
            Double(totalTurns) * weights.perTurn
                + Double(userInitiatedQuestions) * weights.perQuestion
                + weights.points(forEmotion: sessionEmotion)
                + Double(newMemoriesCount) * weights.perMemory
        )
    }
}

extension ConversationLog {
    /// Exchanges between robot and child: two adjacent items, one `pika` and one `user` in either
    /// order, make a turn and are both consumed; otherwise the walk moves on by one item.
    package var turnCount: Int {
        var turns = 0
        var index = 0
        while index + 1 < items.count {
            switch (items[index].speaker, items[index + 1].speaker) {
            case (.pika, .user), (.user, .pika):
                turns += 1
                index += 2
            case _:
                index += 1
            }
        }
        return turns
    }
}
