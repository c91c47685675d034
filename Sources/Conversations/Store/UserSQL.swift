import FriendshipScoring
import Postgres

/// Users: found, made and locked. See `SQL`.
extension SQL {
    static let insertUsers = Statement(
        "insert_users",
        """
        INSERT INTO friendship_status (user_id, friendship_score, friendship_level)
        SELECT DISTINCT user_id, 0, 'PHASE1_STRANGER'
        FROM unnest($1::text[]) AS user_id
        ORDER BY user_id
        ON CONFLICT DO NOTHING
        """
    )

    /// $1: ids of conversations. Only the transaction that holds a user's lock changes the user, so
    /// what it reads after the lock, with a snapshot of its own, holds until the transaction ends.
    package static let lockUsers = Statement("lock_users", "\(users) FOR NO KEY UPDATE")

    /// Makes the users that have no row and locks the others, in one order, so that batches do not
    /// deadlock. A row whose condition is false is locked and not written. Only where users are
    /// likely to be new: it needs the right to make them, and fires triggers, for those that are
    /// known as well.
    package static let makeAndLockUsers = Statement(
        "make_and_lock_users",
        """
        INSERT INTO friendship_status AS stored (user_id, friendship_score, friendship_level)
        SELECT DISTINCT user_id, 0, 'PHASE1_STRANGER' FROM conversation_events
        WHERE conversation_id = ANY ($1::text[]) AND \(isOpen("status")) AND user_id IS NOT NULL
        ORDER BY user_id
        ON CONFLICT (user_id) DO UPDATE SET friendship_score = stored.friendship_score WHERE false
        """
    )

    /// Makes the users that have no row. Those that have one of this spelling are left out before:
    /// ON CONFLICT would wait for a transaction that has changed theirs. See `makeAndLockUsers`.
    package static let makeUsers = Statement(
        "make_users",
        """
        INSERT INTO friendship_status (user_id, friendship_score, friendship_level)
        SELECT DISTINCT user_id, 0, 'PHASE1_STRANGER' FROM conversation_events
        WHERE conversation_id = ANY ($1::text[]) AND \(isOpen("status")) AND user_id IS NOT NULL
            AND user_id::text <> ALL (ARRAY(
                SELECT user_id::text FROM friendship_status
                WHERE user_id = ANY (\(usersOfEvents))))
        ORDER BY user_id
        ON CONFLICT DO NOTHING
        """
    )

    /// $1: users. Those of them that have a row, locked or not.
    package static let knownUsers = Statement(
        "known_users",
        "SELECT user_id FROM friendship_status WHERE user_id = ANY ($1::text[])"
    )

    /// Locks users that no other transaction has locked. Waits for no lock.
    package static let lockFreeUsers = Statement(
        "lock_free_users",
        "\(users) FOR NO KEY UPDATE SKIP LOCKED"
    )

    private static let users = """
        SELECT user_id, friendship_score, friendship_level
        FROM friendship_status
        WHERE user_id = ANY (\(usersOfEvents))
        ORDER BY user_id
        """

    static let usersOfEvents = """
        ARRAY(
            SELECT user_id FROM conversation_events
            WHERE conversation_id = ANY ($1::text[]) AND \(isOpen("status")))
        """

    /// Of the statements that lock users.
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
