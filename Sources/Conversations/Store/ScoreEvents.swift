import Foundation
import JSON
import Postgres

/// Events of scores: rows of the outbox, in the transaction that scores.
///
/// They are written under their users' locks, so for one user the ids in the outbox are in the
/// order of the scores.
enum ScoreEvents {
    /// $1 to $4, an element for each: ids, users, levels, data.
    static let write = Statement(
        "write_score_events",
        """
        INSERT INTO amity_outbox (due_at, exchange, routing_key, headers, body)
        SELECT 'infinity', 'amity.events', 'friendship.scored.' || level,
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

    static let none: (Statement, [Parameter]) = (write, .init(repeating: .textArray([]), count: 4))
}

extension FriendshipFold {
    /// What writes an event for each conversation that has counted, in order of arrival.
    var events: (Statement, [Parameter]) {
        (
            ScoreEvents.write,
            [
                // Another one for each try: what was rolled back has told no program anything.
                .textArray(applied.map { _ in UUID().uuidString.lowercased() }),
                .textArray(applied.map(\.user.text)),
                .textArray(applied.map(\.level.rawValue)),
                .textArray(applied.map(\.eventData)),
            ]
        )
    }
}

extension FriendshipFold.Applied {
    /// Ids and numbers: enough to compute the score again with other weights. As JSON, by hand as
    /// `ScoredConversation.details`.
    fileprivate var eventData: String {
        let score = scored.score
        return """
            {"conversation_id":\(JSONValue.string(conversation.text)),\
            "user_id":\(JSONValue.string(user.text)),\
            "change":\(JSONValue.number(score.change)),\
            "score":\(JSONValue.number(scoreAfter)),"level":"\(level.rawValue)",\
            "turns":\(score.totalTurns),"questions":\(score.userInitiatedQuestions),\
            "emotion":\(JSONValue.string(score.sessionEmotion)),\
            "memories":\(score.newMemoriesCount)}
            """
    }
}
