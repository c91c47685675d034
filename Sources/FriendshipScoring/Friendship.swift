/// How close a user is to the robot. Ordered: a later case is closer.
package enum FriendshipLevel: String, Sendable, CaseIterable, Comparable {
    case stranger = "PHASE1_STRANGER"
    case acquaintance = "PHASE2_ACQUAINTANCE"
    case friend = "PHASE3_FRIEND"

    /// The user's level at a score: friend from 3000, acquaintance from 500.
    package init(score: Double) {
        self = score >= 3000 ? .friend : score >= 500 ? .acquaintance : .stranger
    }

    package static func < (lhs: Self, rhs: Self) -> Bool {
        switch (lhs, rhs) {
        case (.stranger, .acquaintance), (.stranger, .friend), (.acquaintance, .friend): true
        case _: false
        }
    }
}

/// One user's row of `friendship_status`, as far as the score touches it.
package struct Friendship: Sendable, Equatable {
    /// 0 or more.
    package private(set) var score: Double
    /// As stored; usually a `FriendshipLevel`, but the column holds what others wrote, too.
    package private(set) var level: String

    package init(score: Double = 0, level: String = FriendshipLevel.stranger.rawValue) {
        self.score = score
        self.level = level
    }

    /// Applies one conversation and answers the level after it.
    @discardableResult
    package mutating func apply(change: Double) -> FriendshipLevel {
        score = max(0, score + change)
        let reached = FriendshipLevel(score: score)
        level = reached.rawValue
        return reached
    }
}

/// One user's progress in one topic: what a conversation moves of an entry of `topic_metrics`.
package struct TopicProgress: Sendable, Equatable {
    package var score: Double
    package var turns: Int
    /// As stored; see `Friendship.level`.
    package var level: String

    package init(
        score: Double = 0,
        turns: Int = 0,
        level: String = FriendshipLevel.stranger.rawValue
    ) {
        self.score = score
        self.turns = turns
        self.level = level
    }

    /// Applies one conversation about this topic.
    ///
    /// - Parameter userLevel: the user's level after the conversation.
    package mutating func apply(_ conversation: ConversationScore, userLevel: FriendshipLevel) {
        score += conversation.change
        turns += conversation.totalTurns
        level = Self.level(atScore: score, userLevel: userLevel, before: level)
    }

    /// A topic never outruns the friendship, and keeps the friend level it once had from 50 on.
    private static func level(
        atScore score: Double,
        userLevel: FriendshipLevel,
        before: String
    ) -> String {
        if score >= 150 && userLevel == .friend { return FriendshipLevel.friend.rawValue }
        if score >= 50 && userLevel >= .acquaintance {
            return before == FriendshipLevel.friend.rawValue
                ? before : FriendshipLevel.acquaintance.rawValue
        }
        return score < 50 ? FriendshipLevel.stranger.rawValue : before
    }
}
