import Postgres

/// The statements that store requests.
enum IntakeSQL {
    /// $1 to $12: the rows of a group.
    private static let given = """
        unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::text[], $9::text[], $10::text[], $11::text[], $12::text[]) WITH ORDINALITY
        AS given (conversation_id, user_id, bot_type, bot_id, bot_name, agent_tag, start_time,
            end_time, log, raw_log, status, next_attempt_at, place)
        """

    static func parameters(_ events: [ConversationEnd]) -> [Parameter] {
        func column(_ value: (ConversationEnd) -> String?) -> Parameter {
            .textArray(events.map(value))
        }
        return [
            column(\.conversationID), column(\.userID), column(\.botType), column(\.botID),
            column(\.botName), column(\.agentTag), column(\.start.text), column(\.end.text),
            column(\.log), column(\.rawLog), column { $0.isSkipped ? "SKIPPED" : "PENDING" },
            column { $0.nextAttempt?.text },
        ]
    }

    /// Stores what is new, in the order given, and the lease of its message.
    ///
    /// $13 and $14: exchange and routing key. Defaults are spelled out: those of the replaced
    /// service may have been its program's.
    static let insert = Statement(
        "intake_insert",
        """
        WITH made AS (
            INSERT INTO conversation_events AS stored (conversation_id, user_id, bot_type, bot_id,
                bot_name, agent_tag, start_time, end_time, conversation_log, raw_conversation_log,
                status, attempt_count, created_at, next_attempt_at, updated_at)
            SELECT conversation_id, user_id, bot_type, bot_id, bot_name, agent_tag,
                start_time::timestamptz, end_time::timestamptz, log::jsonb, raw_log::jsonb,
                status, 0, now(),
                coalesce(next_attempt_at::timestamptz, now() + interval '6 hours'), now()
            FROM \(given) ORDER BY place
            ON CONFLICT (conversation_id) DO NOTHING
            RETURNING stored.conversation_id, stored.status, \(data) AS data
        ), queued AS (
            INSERT INTO amity_outbox (due_at, exchange, routing_key, conversation_id)
            SELECT clock_timestamp() + interval '\(OutboxSQL.lease)', $13, $14, conversation_id
            FROM made WHERE status = 'PENDING'
            RETURNING id, conversation_id
        )
        SELECT made.conversation_id, made.data, queued.id
        FROM made LEFT JOIN queued ON queued.conversation_id = made.conversation_id
        """
    )

    struct Inserted: Sendable {
        var conversationID: String
        var data: String
        /// Of its message's row in the outbox; nil where it gets none.
        var message: Int?
    }

    static func inserted(_ row: inout RowReader) throws(PostgresError) -> Inserted {
        Inserted(
            conversationID: try row.text() ?? "",
            data: try row.text() ?? "{}",
            message: try row.integer()
        )
    }

    /// What there is of conversations that were there before, and whether it is the same content.
    ///
    /// The log is compared as it is stored, or as it came: the replaced service gave converted
    /// items other timestamps.
    static let compare = Statement(
        "intake_compare",
        """
        SELECT given.place, \(data),
            stored.user_id = given.user_id AND stored.bot_type = given.bot_type
            AND stored.bot_id = given.bot_id AND stored.bot_name = given.bot_name
            AND stored.agent_tag IS NOT DISTINCT FROM given.agent_tag
            AND stored.start_time = given.start_time::timestamptz
            AND stored.end_time = given.end_time::timestamptz
            AND (stored.conversation_log = given.log::jsonb OR coalesce(given.raw_log::jsonb
                IN (stored.raw_conversation_log, stored.conversation_log), false))
        FROM \(given)
        JOIN conversation_events AS stored ON stored.conversation_id = given.conversation_id
        """
    )

    struct Compared: Sendable {
        /// In the group, from 0.
        var place: Int
        var data: String
        var isSame: Bool
    }

    static func compared(_ row: inout RowReader) throws(PostgresError) -> Compared {
        Compared(
            place: (try row.integer() ?? 1) - 1,
            data: try row.text() ?? "{}",
            isSame: try row.bool() ?? false
        )
    }

    /// Whether the outbox is there.
    static let outbox = Statement("intake_outbox", "SELECT to_regclass('amity_outbox') IS NOT NULL")

    /// The answer's `data`, of the row `stored`: in the service's order.
    private static let data = """
        json_build_object('id', stored.id, 'conversation_id', stored.conversation_id,
            'user_id', stored.user_id, 'bot_type', stored.bot_type, 'bot_id', stored.bot_id,
            'bot_name', stored.bot_name, 'start_time', \(time("start_time")),
            'end_time', \(time("end_time")), 'duration_seconds', stored.duration_seconds,
            'conversation_log', stored.conversation_log, 'status', stored.status,
            'attempt_count', stored.attempt_count, 'created_at', \(time("created_at")),
            'next_attempt_at', \(time("next_attempt_at")),
            'processed_at', \(time("processed_at")), 'error_code', stored.error_code,
            'error_details', stored.error_details,
            'friendship_score_change', stored.friendship_score_change,
            'new_friendship_level', stored.new_friendship_level,
            'updated_at', \(time("updated_at")))::text
        """

    /// In UTC with a Z, as FastAPI prints it, also where the column has no zone.
    private static func time(_ column: String) -> String {
        """
        replace(to_char(stored.\(column)::timestamptz, 'YYYY-MM-DD"T"HH24:MI:SS.US'),
            '.000000', '') || 'Z'
        """
    }
}
