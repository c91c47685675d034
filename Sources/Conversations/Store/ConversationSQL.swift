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
    /// What `event` reads, up to the condition under which the log comes along; $2: whether it is
    /// wanted.
    private static let eventColumns = """
        id, conversation_id, user_id, bot_type, bot_id, agent_tag,
            status IN ('PROCESSED', 'SKIPPED'),
            CASE WHEN $2::boolean AND \(isOpen("status"))
        """

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

    /// $1: ids of conversations; $2: whether their logs are wanted. The settled ones come along to
    /// be told from the gone.
    package static let readEvents = Statement(
        "read_events",
        """
        SELECT \(eventColumns) THEN conversation_log END
        FROM conversation_events
        WHERE conversation_id = ANY ($1::text[])
        """
    )

    static func events(in rows: Rows) throws(PostgresError) -> [ExactText: ConversationEvent] {
        var events: [ExactText: ConversationEvent] = [:]
        try rows.forEach { row throws(PostgresError) in
            var event = try event(&row)
            if let other = events[event.conversationID] {
                event = event.isSettled ? other : event
                // Which of them counts is not for us to say, and scoring each counts twice.
                event.defect = .invalidEvent("several rows have this conversation_id")
            }
            events[event.conversationID] = event
        }
        return events
    }

    /// One conversation and, behind its columns, its user's friendship. Without a lock. The log
    /// comes only where nothing else is needed to score it: no topic, no new user. More than one
    /// row where a key is missing.
    static let readConversation = Statement(
        "read_conversation",
        """
        SELECT \(eventColumns) AND agent_tag IS NULL
                AND friendship_score IS NOT NULL AND friendship_level IS NOT NULL
            THEN conversation_log END,
            friendship_score, friendship_level
        FROM conversation_events AS event
        LEFT JOIN LATERAL (
            SELECT friendship_score, friendship_level FROM friendship_status
            WHERE user_id = event.user_id LIMIT 2) AS friendship ON true
        WHERE conversation_id = $1::text
        """
    )

    /// - Returns: no friendship where there is none that can be added to.
    static func conversation(
        _ row: inout RowReader
    ) throws(PostgresError) -> (event: ConversationEvent, user: Friendship?) {
        let event = try event(&row)
        guard let score = try row.double(), score.isFinite, let level = try row.text() else {
            return (event, nil)
        }
        return (event, Friendship(score: score, level: level))
    }

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

    /// The same for users that no other transaction has locked. Waits for no lock.
    static let lockFreeUsers = Statement(
        "lock_free_users",
        "\(users) FOR NO KEY UPDATE SKIP LOCKED"
    )

    private static let users = """
        SELECT user_id, friendship_score, friendship_level
        FROM friendship_status
        WHERE user_id = ANY (ARRAY(
            SELECT user_id FROM conversation_events
            WHERE conversation_id = ANY ($1::text[]) AND \(isOpen("status"))))
        ORDER BY user_id
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

    /// $1: agents. The lowest id decides where an agent has several topics at a level.
    static let readAgenda = Statement(
        "read_agenda",
        """
        SELECT DISTINCT ON (agent_id, friendship_level) agent_id, friendship_level, topic_id
        FROM agenda_agent_prompting
        WHERE agent_id = ANY ($1::text[])
        ORDER BY agent_id, friendship_level, id
        """
    )

    static func agendum(
        _ row: inout RowReader
    ) throws(PostgresError) -> (agent: String, level: String, topic: String)? {
        guard let agent = try row.text(), let level = try row.text(), let topic = try row.text()
        else { return nil }
        return (agent, level, topic)
    }

    /// $1: users, locked; $2: agents. The topics that a batch may move, and of them only what
    /// moves: whatever else others keep in the column never leaves the database.
    static let readTopics = Statement(
        "read_topics",
        """
        SELECT user_id, topic, topic_metrics -> topic ->> 'score',
               topic_metrics -> topic ->> 'turns', topic_metrics -> topic ->> 'friendship_level'
        FROM friendship_status,
            (SELECT DISTINCT topic_id AS topic FROM agenda_agent_prompting
             WHERE agent_id = ANY ($2::text[])) AS candidates
        WHERE user_id = ANY ($1::text[])
          AND jsonb_typeof(topic_metrics) = 'object' AND topic_metrics ? topic
        """
    )

    /// Members are texts: others may have stored anything there.
    static func topic(_ row: inout RowReader) throws(PostgresError) -> StoredTopic {
        let user = ExactText(try row.text() ?? "")
        return StoredTopic(
            key: .init(user: user, topic: ExactText(try row.text() ?? "")),
            score: try row.text(),
            turns: try row.text(),
            level: try row.text()
        )
    }

    /// Raises 2201X (`PostgresError.isGuard`) unless as many rows were written as there are
    /// elements in `array`: nothing of the transaction happens then. A trigger or a policy may
    /// leave a row as it was without an error, and what follows in the flight is COMMIT.
    private static func guardAll(_ array: String) -> String {
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

    /// $1 to $3: one element for each user. $4 to $7: one for each topic of a user: the members
    /// that change, and the robots to add to `agents_used` where they are not in it yet.
    static let updateUsersAndTopics = Statement(
        "update_users_and_topics",
        """
        WITH done AS (
        UPDATE friendship_status AS stored
        SET friendship_score = new.score,
            friendship_level = new.level,
            topic_metrics =
                CASE jsonb_typeof(stored.topic_metrics)
                    WHEN 'object' THEN stored.topic_metrics ELSE '{}' END
                || coalesce((
                    SELECT jsonb_object_agg(moved.topic,
                        CASE jsonb_typeof(old.topic) WHEN 'object' THEN old.topic ELSE '{}' END
                        || moved.members::jsonb
                        || jsonb_build_object('agents_used', old.agents || coalesce((
                            SELECT jsonb_agg(agent)
                            FROM jsonb_array_elements_text(moved.agents::jsonb) AS agent
                            WHERE NOT old.agents ? agent), '[]')))
                    FROM unnest($4::text[], $5::text[], $6::text[], $7::text[])
                        AS moved (user_id, topic, members, agents)
                    CROSS JOIN LATERAL (SELECT stored.topic_metrics -> moved.topic,
                        CASE jsonb_typeof(stored.topic_metrics -> moved.topic -> 'agents_used')
                            WHEN 'array' THEN stored.topic_metrics -> moved.topic -> 'agents_used'
                            ELSE '[]' END) AS old (topic, agents)
                    WHERE moved.user_id = stored.user_id), '{}'),
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
    private static let outcome = """
        status = 'PROCESSED',
            attempt_count = stored.attempt_count + 1,
            friendship_score_change = new.change,
            new_friendship_level = new.level,
            score_calculation_details = jsonb_build_object(
                'total_turns', new.turns, 'session_emotion', new.emotion,
                'user_initiated_questions', new.questions, 'new_memories_count', new.memories,
                'total_exchange_score', new.change,
                'sources', new.sources::jsonb, 'friendship_score_before', new.before),
            processed_at = now(),
            next_attempt_at = now(),
            error_code = NULL,
            error_details = NULL,
            updated_at = now()
        """

    /// One element for each event. If one of them is settled, gone or another user's by now, or
    /// stays as it was, nothing of the batch happens: see `guardAll`.
    package static let updateEvents = Statement(
        "update_events",
        """
        WITH done AS (
        UPDATE conversation_events AS stored
        SET \(outcome)
        FROM unnest($1::bigint[], $2::float8[], $3::text[], $4::int[], $5::text[], $6::int[],
                    $7::int[], $8::text[], $9::text[], $10::float8[])
            AS new (id, change, level, turns, emotion, questions, memories, user_id, sources, before)
        WHERE stored.id = ANY ($1::bigint[]) AND stored.id = new.id
            AND stored.user_id = new.user_id AND \(isOpen("stored.status"))
        RETURNING 1)
        \(guardAll("$1::bigint[]"))
        """
    )

    /// One conversation and its user, with a commit of their own; $1 to $10 as in `updateEvents`,
    /// $11 the user's new score, $12 the level that was found. No lock is older than the statement.
    /// The user's row comes first, as everywhere, and is taken only if it still is what was found.
    ///
    /// Answers 1 if it was, else 0; and if it was, the event must be what it was, too, or it raises
    /// what `guardAll` does.
    static let updateConversation = Statement(
        "update_conversation",
        """
        WITH moved AS (
        UPDATE friendship_status AS stored
        SET friendship_score = $11::float8,
            friendship_level = $3::text,
            last_interaction_date = now(),
            updated_at = now()
        WHERE user_id = $8::text
            AND friendship_score = $10::float8 AND friendship_level = $12::text
        RETURNING 1),
        done AS (
        UPDATE conversation_events AS stored
        SET \(outcome)
        FROM (SELECT $2::float8 AS change, $3::text AS level, $4::int AS turns, $5::text AS emotion,
                $6::int AS questions, $7::int AS memories, $9::text AS sources, $10::float8 AS before)
            AS new
        WHERE stored.id = $1::bigint AND EXISTS (SELECT FROM moved)
            AND stored.user_id = $8::text AND \(isOpen("stored.status"))
        RETURNING 1)
        SELECT CASE WHEN EXISTS (SELECT FROM moved)
            THEN (SELECT 1 OFFSET (SELECT count(*) - 1 FROM done)) ELSE 0 END
        """,
        commits: true
    )

    static func isUpdated(_ row: inout RowReader) throws(PostgresError) -> Bool? {
        try row.integer() == 1
    }

    /// $4 is seconds until the message runs again, NULL for never. `nextAttempt` adds a minute, so
    /// that the sweep for lost messages skips the row. A dead message gets the year 3000, so it
    /// never falls due.
    static let recordFailures = Statement(
        "record_failures",
        """
        UPDATE conversation_events AS stored
        SET status = 'FAILED',
            attempt_count = stored.attempt_count + 1,
            error_code = new.code,
            error_details = new.reason,
            next_attempt_at = \(nextAttempt),
            updated_at = now()
        \(failures)
        """
    )

    /// The least that tells the sweep to leave the rows alone, where the columns do not take more.
    /// Same parameters.
    static let markFailures = [
        Statement(
            "mark_failures",
            """
            UPDATE conversation_events AS stored
            SET status = 'FAILED', next_attempt_at = \(nextAttempt), updated_at = now()
            \(failures)
            """
        ),
        Statement(
            "put_off_failures",
            """
            UPDATE conversation_events AS stored
            SET next_attempt_at = \(nextAttempt)
            \(failures)
            """
        ),
    ]

    private static let nextAttempt = """
        coalesce(now() + make_interval(secs => new.delay + 60), '3000-01-01T00:00:00Z')
        """

    private static let failures = """
        FROM unnest($1::text[], $2::text[], $3::text[], $4::int[])
            AS new (conversation_id, code, reason, delay)
        WHERE stored.conversation_id = ANY ($1::text[])
          AND stored.conversation_id = new.conversation_id
          AND \(isOpen("stored.status"))
        """

    /// Whether row level security may hide events from this role.
    static let hidesEvents = Statement(
        "hides_events",
        "SELECT row_security_active('conversation_events')"
    )

    static func hides(_ row: inout RowReader) throws(PostgresError) -> Bool? { try row.bool() }
}
