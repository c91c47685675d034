import FriendshipScoring
import Postgres
import WorkerRuntime

/// The statements of the hot path. Of a batch a row is always found by `= ANY` of an array, also
/// where a join would do: a plan is made once, perhaps while a table is empty, and a join planned
/// then would later read all of it, by whichever index. One row is found by `=`; a second one from
/// there by a LATERAL subquery, which its LIMIT keeps from becoming such a join.
///
/// Tables are not qualified: the session's search_path finds them.
///
/// `now()` is the transaction's start; sessions have TimeZone UTC, so columns without a zone get
/// UTC.
package enum SQL {
    /// What `event` reads; $2: what of the log, a `LogPart`.
    static let eventColumns = """
        id, conversation_id, user_id, bot_type, bot_id, agent_tag,
            status IN ('PROCESSED', 'SKIPPED')
        """

    /// What of a log comes along with its event.
    package enum LogPart: String, Sendable {
        case nothing, all
        /// Who spoke, where that is all that a score needs: a tenth of the log. See `log`.
        case speakers
    }

    /// The log, or its speakers behind an `s`, which no JSON begins with: where the column is
    /// jsonb, the first item has the standard shape, which decides for all, and each item is an
    /// object that names its speaker. `#> '{}'` is the log itself, unpacked once instead of at each
    /// use; OFFSET 0 keeps the parts from being merged, and so from being computed twice.
    static func log(where isWanted: String) -> String {
        """
        CASE
            WHEN NOT (\(isWanted)) OR $2::text = 'nothing' OR NOT (\(isOpen("status"))) THEN NULL
            WHEN $2::text = 'speakers' AND pg_typeof(conversation_log) = 'jsonb'::regtype THEN (
                SELECT CASE
                    WHEN speakers IS NULL THEN log::text
                    WHEN jsonb_array_length(speakers) = jsonb_array_length(log)
                    THEN 's' || speakers::text
                    ELSE log::text END
                FROM (
                    SELECT log, CASE
                        WHEN jsonb_typeof(log) = 'array' AND jsonb_typeof(log -> 0) = 'object'
                            AND log -> 0 ?& ARRAY['speaker', 'turn_id', 'text']
                        THEN jsonb_path_query_array(log, 'strict $[*].speaker', '{}', true)
                        END AS speakers
                    FROM (SELECT conversation_log::jsonb #> '{}' AS log OFFSET 0) AS unpacked
                    OFFSET 0) AS read)
            ELSE conversation_log::text END
        """
    }

    static func event(_ row: inout RowReader) throws(PostgresError) -> ConversationEvent {
        let id = try row.integer() ?? 0
        let conversation = try row.text() ?? ""
        let user = try row.text()
        return ConversationEvent(
            id: id,
            conversationID: ExactText(conversation),
            userID: ExactText(user ?? ""),
            botType: try row.text() ?? "",
            botID: try row.text() ?? "",
            agent: try row.text().map(ExactText.init),
            isSettled: try row.bool() ?? false,
            logJSON: try row.data(),
            defect: user == nil ? .invalidEvent("user_id is null") : nil
        )
    }

    /// Whether an event still counts. A row whose status is NULL has not been settled.
    static func isOpen(_ status: String) -> String {
        "(\(status) IN ('PROCESSED', 'SKIPPED')) IS NOT TRUE"
    }

    /// $1: ids of conversations; $2: what of their logs. The settled ones come along to
    /// be told from the gone.
    package static let readEvents = Statement(
        "read_events",
        """
        SELECT \(eventColumns), \(log(where: "true"))
        FROM conversation_events
        WHERE conversation_id = ANY ($1::text[])
        """
    )

    static func events(in rows: Rows) throws(PostgresError) -> [ExactText: ConversationEvent] {
        var events: [ExactText: ConversationEvent] = [:]
        try rows.forEach { row throws(PostgresError) in add(try event(&row), to: &events) }
        return events
    }

    static func add(_ event: ConversationEvent, to events: inout [ExactText: ConversationEvent]) {
        var event = event
        if let other = events[event.conversationID] {
            event = event.isSettled ? other : event
            // Which of them counts is not for us to say, and scoring each counts twice.
            event.defect = .invalidEvent("several rows have this conversation_id")
        }
        events[event.conversationID] = event
    }

    /// $1: ids of conversations that are settled one by one. Each and, behind its columns, its
    /// user's friendship. Without a lock. The log comes only where no topic is needed to score it.
    /// More than one row for an id where a key is missing.
    static let readConversations = Statement(
        "read_conversations",
        """
        SELECT \(eventColumns), \(log(where: "agent_tag IS NULL")),
            has_row, friendship_score, friendship_level
        FROM conversation_events AS event
        LEFT JOIN LATERAL (
            SELECT true AS has_row, friendship_score, friendship_level FROM friendship_status
            WHERE user_id = event.user_id LIMIT 2) AS friendship ON true
        WHERE conversation_id = ANY ($1::text[])
        """
    )

    /// The same with the log in any case, and with the topic that the conversation moves, as it is
    /// stored. The lowest id decides, as in `readAgenda`.
    static let readConversationsAndTopics = Statement(
        "read_conversations_and_topics",
        """
        SELECT \(eventColumns), \(log(where: "true")),
            has_row, friendship_score, friendship.friendship_level,
            topic, topic_metrics -> topic ->> 'score', topic_metrics -> topic ->> 'turns',
            topic_metrics -> topic ->> 'friendship_level'
        FROM conversation_events AS event
        LEFT JOIN LATERAL (
            SELECT true AS has_row, friendship_score, friendship_level, topic_metrics
            FROM friendship_status WHERE user_id = event.user_id LIMIT 2) AS friendship ON true
        LEFT JOIN LATERAL (
            SELECT (array_agg(topic_id ORDER BY id))[1] AS topic FROM agenda_agent_prompting
            WHERE agent_id = event.agent_tag AND \(exactly("agent_id", "event.agent_tag"))
                AND \(exactly(
                    "friendship_level",
                    "coalesce(friendship.friendship_level, '\(FriendshipLevel.stranger.rawValue)')"
                ))) AS agenda ON true
        WHERE conversation_id = ANY ($1::text[])
        """
    )

    /// Byte for byte, as `Agenda` compares, whatever the columns take for the same.
    private static func exactly(_ one: String, _ other: String) -> String {
        "\(one)::text COLLATE \"C\" = \(other)::text COLLATE \"C\""
    }

    static func conversation(
        _ row: inout RowReader
    ) throws(PostgresError) -> ConversationAlone {
        var alone = ConversationAlone(event: try event(&row))
        alone.isNewUser = try row.bool() == nil
        if let score = try row.double(), let level = try row.text() {
            alone.user = Friendship(score: score, level: level)
        }
        return alone
    }

    static func conversationAndTopic(
        _ row: inout RowReader
    ) throws(PostgresError) -> ConversationAlone {
        var alone = ConversationAlone(event: try event(&row), isWithTopic: true)
        alone.isNewUser = try row.bool() == nil
        let score = try row.double()
        let level = try row.text()
        if let score, let level { alone.user = Friendship(score: score, level: level) }
        if let topic = try row.text() {
            alone.topic = StoredTopic(
                key: .init(user: alone.event.userID, topic: ExactText(topic)),
                score: try row.text(),
                turns: try row.text(),
                level: try row.text()
            )
        }
        return alone
    }

    /// Raises 2201X (`PostgresError.isGuard`) unless as many rows were written as there are
    /// elements in `array`: nothing of the transaction happens then. A trigger or a policy may
    /// leave a row as it was without an error, and what follows in the flight is COMMIT.
    static func guardAll(_ array: String) -> String {
        "SELECT 1 OFFSET (SELECT -abs(count(*) - cardinality(\(array))) FROM done)"
    }

    /// One element for each user.
    package static let updateUsers = Statement(
        "update_users",
        """
        WITH done AS (
        UPDATE friendship_status AS stored
        SET friendship_score = new.score,
            friendship_level = new.level,
            last_interaction_date = now(),
            updated_at = now()
        FROM unnest($1::text[], $2::float8[], $3::text[]) AS new (user_id, score, level)
        WHERE stored.user_id = ANY ($1::text[]) AND stored.user_id = new.user_id
        RETURNING 1)
        \(guardAll("$1::text[]"))
        """
    )

    /// What a score changes in its event. The details' first five members are the contract's; the
    /// others explain how the score came about.
    private static func outcome(change: String, level: String, details: String) -> String {
        """
        status = 'PROCESSED',
            attempt_count = stored.attempt_count + 1,
            friendship_score_change = \(change),
            new_friendship_level = \(level),
            score_calculation_details = \(details)::jsonb,
            processed_at = now(),
            next_attempt_at = now(),
            error_code = NULL,
            error_details = NULL,
            updated_at = now()
        """
    }

    /// One element for each event. If one of them is settled, gone or another user's by now, or
    /// stays as it was, nothing of the batch happens: see `guardAll`.
    package static let updateEvents = Statement(
        "update_events",
        """
        WITH done AS (
        UPDATE conversation_events AS stored
        SET \(outcome(change: "new.change", level: "new.level", details: "new.details"))
        FROM unnest($1::bigint[], $2::float8[], $3::text[], $4::text[], $5::text[])
            AS new (id, change, level, user_id, details)
        WHERE stored.id = ANY ($1::bigint[]) AND stored.id = new.id
            AND stored.user_id = new.user_id AND \(isOpen("stored.status"))
        RETURNING 1)
        \(guardAll("$1::bigint[]"))
        """
    )

    /// One conversation and its user, with a commit of their own; $1 to $5 as in `updateEvents`,
    /// $6 the user's new score, $7 and $8 the score and the level that were found. No lock is older
    /// than the statement. The user's row comes first, as everywhere, and is taken only if it still
    /// is what was found.
    ///
    /// Answers 1 if it was, else 0; and if it was, the event must be what it was, too, or it raises
    /// what `guardAll` does.
    static let updateConversation = Statement(
        "update_conversation",
        conversation(setting: "", where: ""),
        commits: true
    )

    /// The same with the topic that moves, $9 to $11 as $4 to $6 of `updateUsersAndTopic`; $12 to
    /// $14 its score, turns and level as they were found: a change of zero leaves the user as it
    /// was, and others may move a topic alone.
    static let updateConversationAndTopic = Statement(
        "update_conversation_and_topic",
        conversation(
            setting: "topic_metrics = \(moved("$9::text", "$10::text", "$11::text")),",
            where: """
                AND topic_metrics -> $9::text ->> 'score' IS NOT DISTINCT FROM $12::text
                    AND topic_metrics -> $9::text ->> 'turns' IS NOT DISTINCT FROM $13::text
                    AND topic_metrics -> $9::text ->> 'friendship_level'
                        IS NOT DISTINCT FROM $14::text
                """
        ),
        commits: true
    )

    private static func conversation(setting topic: String, where isAsFound: String) -> String {
        """
        WITH moved AS (
        UPDATE friendship_status AS stored
        SET friendship_score = $6::float8,
            friendship_level = $3::text,
            \(topic)
            last_interaction_date = now(),
            updated_at = now()
        WHERE user_id = $4::text
            AND friendship_score = $7::float8 AND friendship_level = $8::text \(isAsFound)
        RETURNING 1),
        done AS (
        UPDATE conversation_events AS stored
        SET \(outcome(change: "$2::float8", level: "$3::text", details: "$5::text"))
        WHERE stored.id = $1::bigint AND EXISTS (SELECT FROM moved)
            AND stored.user_id = $4::text AND \(isOpen("stored.status"))
        RETURNING 1)
        SELECT CASE WHEN EXISTS (SELECT FROM moved)
            THEN (SELECT 1 OFFSET (SELECT count(*) - 1 FROM done)) ELSE 0 END
        """
    }

    static func isUpdated(_ row: inout RowReader) throws(PostgresError) -> Bool? {
        try row.integer() == 1
    }

    /// Whether row level security may hide events from this role.
    static let hidesEvents = Statement(
        "hides_events",
        "SELECT row_security_active('conversation_events')"
    )

    static func hides(_ row: inout RowReader) throws(PostgresError) -> Bool? { try row.bool() }
}

/// A conversation and all that its score needs, read without a lock.
struct ConversationAlone: Sendable {
    var event: ConversationEvent
    /// Whether its topic was looked for.
    var isWithTopic = false
    var isNewUser = false
    /// nil where the user is new, or what is stored cannot be added to.
    var user: Friendship?
    /// That it moves.
    var topic: StoredTopic?

    /// Whether it may move a topic that was not looked for.
    var lacksTopic: Bool { event.agent != nil && !isWithTopic }

    /// Whether there is all that its score needs.
    var isComplete: Bool { !event.isSettled && event.defect == nil && canBeAddedTo && !lacksTopic }

    var canBeAddedTo: Bool {
        if topic?.isBad == true { return false }
        return isNewUser || (user?.score.isFinite ?? false)
    }
}
