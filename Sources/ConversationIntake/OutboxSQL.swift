import Postgres

/// The statements of the outbox. None waits for the disk: what a crash of the database takes back
/// is done again, and a message that comes twice has one effect.
enum OutboxSQL {
    /// How long a process may take to publish a message before another one does.
    static let lease = "5 seconds"

    static let lazily = Statement("outbox_lazily", "SET LOCAL synchronous_commit TO off")

    /// Leases what is due. $1: at most so many. $2: queues to leave alone.
    ///
    /// `now()` and not `clock_timestamp()`: an index is searched for a value that stays.
    static let take = Statement(
        "outbox_take",
        """
        WITH due AS (
            SELECT id FROM amity_outbox
            WHERE due_at <= now() AND conversation_id IS NOT NULL AND body IS NULL
                AND routing_key <> ALL($2::text[])
            ORDER BY due_at LIMIT $1::bigint FOR UPDATE SKIP LOCKED
        ), leased AS (
            UPDATE amity_outbox AS message SET due_at = clock_timestamp() + interval '\(lease)'
            FROM due WHERE message.id = due.id
            RETURNING message.id, exchange, routing_key, conversation_id
        )
        SELECT leased.id, leased.exchange, leased.routing_key, leased.conversation_id,
            event.user_id, event.bot_id,
            event.id IS NULL OR event.status IN ('PROCESSED', 'SKIPPED')
        FROM leased
        LEFT JOIN conversation_events AS event ON event.conversation_id = leased.conversation_id
        ORDER BY leased.id
        """
    )

    static func taken(
        _ row: inout RowReader
    ) throws(PostgresError) -> (message: OutboxMessage, isObsolete: Bool) {
        let message = OutboxMessage(
            id: try row.integer() ?? 0,
            exchange: try row.text() ?? "",
            routingKey: try row.text() ?? "",
            conversationID: try row.text() ?? "",
            userID: try row.text(),
            botID: try row.text()
        )
        return (message, try row.bool() ?? true)
    }

    /// $1: ids of messages that the broker has, or that are not needed any more.
    static let delete = Statement(
        "outbox_delete",
        "DELETE FROM amity_outbox WHERE id = ANY($1::bigint[])"
    )
}

/// A row of the outbox: the message of a conversation.
struct OutboxMessage: Sendable {
    var id: Int
    var exchange: String
    var routingKey: String
    var conversationID: String
    var userID: String?
    var botID: String?
}
