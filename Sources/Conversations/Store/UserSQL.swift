import FriendshipScoring
import Postgres

/// Users: found, made and locked. See `SQL`.
extension SQL {
    /// $1: users, each once. In an order that does not depend on their case, which the column may
    /// not tell apart: then two that insert the same do not deadlock.
    package static let insertUsers = Statement("insert_users", insertingUsers)

    private static let insertingUsers = """
        INSERT INTO friendship_status (user_id, friendship_score, friendship_level)
        SELECT user_id, 0, 'PHASE1_STRANGER' FROM unnest($1::text[]) AS user_id
        ORDER BY lower(user_id), user_id
        ON CONFLICT DO NOTHING
        """

    /// $1: a user; $2: the id of an event, which must be its own and still count.
    static let insertUser = Statement(
        "insert_user",
        """
        INSERT INTO friendship_status (user_id, friendship_score, friendship_level)
        SELECT $1::text, 0, 'PHASE1_STRANGER' FROM conversation_events
        WHERE id = $2::bigint AND user_id = $1::text AND \(isOpen("status"))
        ON CONFLICT DO NOTHING
        """
    )

    /// `insertUsers` as part of the transaction that scores them. If one of them has a row by now,
    /// or gets none, nothing of the batch happens: see `guardAll`.
    static let insertNewUsers = Statement(
        "insert_new_users",
        """
        WITH done AS (
        \(insertingUsers)
        RETURNING 1)
        \(guardAll("$1::text[]"))
        """
    )

    /// Of users that were just made: nothing of the batch happens unless they are as it took them
    /// to be. A trigger, or a default, may give a user more.
    static let checkNewUsers = Statement("check_new_users", checkingNewUsers(""))
    static let checkNewUsersAndTopics = Statement(
        "check_new_users_and_topics",
        checkingNewUsers("AND coalesce(topic_metrics, '{}') = '{}'")
    )

    private static func checkingNewUsers(_ topics: String) -> String {
        """
        WITH done AS (
        SELECT FROM friendship_status
        WHERE user_id = ANY ($1::text[])
            AND friendship_score = 0 AND friendship_level = 'PHASE1_STRANGER' \(topics))
        \(guardAll("$1::text[]"))
        """
    }

    /// $1: ids of conversations. Waits for their users, in one order, so that batches do not
    /// deadlock. Only the transaction that holds a user's lock changes the user, so what it reads
    /// after the lock, with a snapshot of its own, holds until the transaction ends.
    package static let lockUsers = Statement(
        "lock_users",
        """
        SELECT FROM friendship_status
        WHERE user_id = ANY (ARRAY(
            SELECT user_id FROM conversation_events
            WHERE conversation_id = ANY ($1::text[]) AND \(isOpen("status"))))
        ORDER BY user_id
        FOR NO KEY UPDATE
        """
    )

    /// $1: ids of conversations; $2: what of their logs. The events, as `readEvents`, and behind
    /// each its user's row, which it locks; waits for no lock. NULL where the row is not locked,
    /// and then whether there is one.
    ///
    /// The user's row is what it is under the lock. The event's is not read anew once the lock is
    /// there: an event that was settled in between is found out when it is written. By LATERAL, as
    /// `readConversations`; two rows of a user are a defect, and more are none the better.
    package static let readAndLock = Statement("read_and_lock", readingAndLocking(topics: ""))

    /// The same, and of each user four elements for each topic: its name and the members that
    /// count. $3: the topics that are wanted.
    package static let readAndLockWithTopics = Statement(
        "read_and_lock_with_topics",
        readingAndLocking(
            topics: """
                , ARRAY(
                    SELECT unnest(ARRAY[topic, stored.topic_metrics -> topic ->> 'score',
                        stored.topic_metrics -> topic ->> 'turns',
                        stored.topic_metrics -> topic ->> 'friendship_level'])
                    FROM unnest($3::text[]) AS topic
                    WHERE jsonb_typeof(stored.topic_metrics) = 'object'
                        AND stored.topic_metrics ? topic) AS topics
                """
        )
    )

    private static func readingAndLocking(topics: String) -> String {
        """
        SELECT \(eventColumns), \(log(where: "true")),
            locked_user, friendship_score, friendship_level,
            CASE WHEN locked_user IS NULL AND \(isOpen("event.status")) THEN (
                SELECT true FROM friendship_status WHERE user_id = event.user_id LIMIT 1) END
            \(topics.isEmpty ? "" : ", topics")
        FROM conversation_events AS event
        LEFT JOIN LATERAL (
            SELECT user_id AS locked_user, friendship_score, friendship_level\(topics)
            FROM friendship_status AS stored
            WHERE stored.user_id = event.user_id AND \(isOpen("event.status"))
            LIMIT 2
            FOR NO KEY UPDATE SKIP LOCKED) AS friendship ON true
        WHERE conversation_id = ANY ($1::text[])
        """
    }

    /// What a row of `readAndLock` says of the event's user.
    enum LockedUser {
        case locked(ExactText, Friendship)
        /// Another transaction holds it.
        case held
        /// There is no such row. Not asked for a settled event.
        case absent
    }

    static func lockedUser(_ row: inout RowReader) throws(PostgresError) -> LockedUser {
        let stored = try row.text()
        let score = try row.double() ?? 0
        let friendship = Friendship(score: score, level: try row.text() ?? "")
        let isThere = try row.bool() ?? false
        if let stored { return .locked(ExactText(stored), friendship) }
        return isThere ? .held : .absent
    }

    /// Of `lockUser`.
    static func user(
        _ row: inout RowReader
    ) throws(PostgresError) -> (id: ExactText, friendship: Friendship) {
        let id = ExactText(try row.text() ?? "")
        let score = try row.double() ?? 0
        return (id, Friendship(score: score, level: try row.text() ?? ""))
    }

    /// $1: a user whose row is there and was not found under this spelling. It is compared as the
    /// column compares (citext, a collation that is not deterministic): so it has no type here.
    static let lockUser = Statement(
        "lock_user",
        """
        SELECT user_id, friendship_score, friendship_level
        FROM friendship_status WHERE user_id = $1
        FOR NO KEY UPDATE
        """
    )
}
