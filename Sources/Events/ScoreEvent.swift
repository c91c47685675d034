import Foundation
import FriendshipScoring
import JSON
import Postgres

/// What is told of a score: ids and numbers, enough to compute it again with other weights.
///
/// Its row is written under its user's lock, so for one user the ids in the outbox are in the order
/// of the scores.
package struct ScoreEvent: Sendable {
    private let conversationID: String
    private let userID: String
    private let score: ConversationScore
    private let after: Friendship

    /// - Parameter before: the user's score before it.
    package init(
        _ conversationID: String,
        of userID: String,
        _ score: ConversationScore,
        _ before: Double
    ) {
        self.conversationID = conversationID
        self.userID = userID
        self.score = score
        var friendship = Friendship(score: before, level: "")
        friendship.apply(change: score.change)
        after = friendship
    }

    /// What writes events, in their order, in the transaction that scores.
    package static func writing(_ events: [ScoreEvent]) -> (Statement, [Parameter]) {
        (
            write,
            [
                // Another id for each try: what was rolled back has told no program anything.
                .textArray(events.map { _ in UUID().uuidString.lowercased() }),
                .textArray(events.map(\.userID)), .textArray(events.map(\.after.level)),
                .textArray(events.map(\.data)),
            ]
        )
    }

    /// By hand: an encoder takes longer than all the rest of scoring.
    private var data: String {
        """
        {"conversation_id":\(JSONValue.string(conversationID)),\
        "user_id":\(JSONValue.string(userID)),"change":\(JSONValue.number(score.change)),\
        "score":\(JSONValue.number(after.score)),"level":\(JSONValue.string(after.level)),\
        "turns":\(score.totalTurns),"questions":\(score.userInitiatedQuestions),\
        "emotion":\(JSONValue.string(score.sessionEmotion)),"memories":\(score.newMemoriesCount)}
        """
    }

    /// $1 to $4, an element for each: ids, users, levels, data.
    private static let write = Statement(
        "write_score_events",
        """
        INSERT INTO amity_outbox (due_at, exchange, routing_key, headers, body)
        SELECT 'infinity', '\(EventTopics.exchange)', 'friendship.scored.' || level,
            jsonb_build_object(
                'cloudEvents:id', id,
                'cloudEvents:source', '/amity/friendships',
                'cloudEvents:specversion', '1.0',
                'cloudEvents:type', 'amity.friendship.scored',
                'cloudEvents:subject', user_id,
                'cloudEvents:time', to_char(clock_timestamp() AT TIME ZONE 'UTC',
                    'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')),
            data
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
            WITH ORDINALITY AS new (id, user_id, level, data, number)
        ORDER BY number
        """
    )
}
