import Postgres

/// The statements that make tasks.
enum SubmitSQL {
    /// One element of each array for each task.
    ///
    /// Ids and times come from one clock, a microsecond apart, so that a group keeps its order.
    /// Rows are inserted by unique key, so that two groups do not wait for each other in a circle.
    private static let make = """
        WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS now),
        given AS MATERIALIZED (
            SELECT new.*, now, \(limitKey) AS limit_key,
                now + number * interval '1 microsecond' AS created_at,
                amity_uuid7(now + number * interval '1 microsecond') AS id,
                greatest(run_at::timestamptz, now + make_interval(secs => delay::float8))
                    AS starts_at
            FROM clock, unnest($1::text[], $2::text[], $3::int[], $4::int[], $5::int[], $6::text[],
                    $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[],
                    $13::int[], $14::text[], $15::int[],
                    $16::text[], $17::text[])
                WITH ORDINALITY AS new (type, pool, priority, max_attempts, timeout_seconds,
                    payload, tags, delay, run_at, deadline, kb_id, unique_key, created_by,
                    batch_id, has_needs, limited_by, callback, number)),
        made AS (
            INSERT INTO amity_tasks (id, type, pool, priority, state, due_at, max_attempts,
                deadline, kb_id, batch_id, limit_key, unique_key, created_by, created_at)
            SELECT id, type, pool, priority,
                CASE WHEN has_needs = 1 THEN \(TaskSQL.blocked)
                    WHEN starts_at > now THEN \(scheduled)
                    WHEN limit_key IS NOT NULL THEN \(TaskSQL.waiting) ELSE \(queued) END,
                CASE WHEN has_needs = 1 THEN now
                    WHEN starts_at > now THEN least(starts_at, deadline::timestamptz)
                    WHEN limit_key IS NOT NULL THEN deadline::timestamptz
                    ELSE now + \(TaskSQL.lease) END,
                max_attempts, deadline::timestamptz, kb_id, batch_id::uuid, limit_key, unique_key,
                nullif(created_by, 0), created_at
            FROM given
            ORDER BY coalesce(kb_id, ''), type, unique_key, number
            ON CONFLICT (coalesce(kb_id, ''), type, unique_key)
                WHERE unique_key IS NOT NULL AND state < \(TaskSQL.completed) DO NOTHING
            RETURNING id, state, due_at),
        kept AS (
            INSERT INTO amity_task_data (id, payload, timeout_seconds, tags, callback)
            SELECT given.id, payload::jsonb, timeout_seconds, tags::jsonb, callback::jsonb
            FROM given JOIN made USING (id))
        SELECT number, made.id, state, due_at, \(TaskSQL.iso("given.created_at"))
        FROM given LEFT JOIN made USING (id)
        """

    /// The type, and for a key of it what the task has there; NULL where it has nothing.
    private static let limitKey = """
        (SELECT \(TaskSQL.limitKey("named.key"))
         FROM (SELECT CASE WHEN limited_by = 'type' THEN type
            WHEN limited_by = 'kb_id' THEN type || ':' || kb_id
            WHEN limited_by LIKE 'payload.%' THEN type || ':'
                || (payload::jsonb #>> string_to_array(substr(limited_by, 9), '.')) END AS key
            OFFSET 0) AS named)
        """

    /// The same alone, and in a transaction with others.
    static let submit = Statement("submit_tasks", make, commits: true)
    static let submitAmongOthers = Statement("submit_tasks_among_others", make)

    private static let scheduled = TaskState.scheduled.rawValue
    private static let queued = TaskState.queued.rawValue

    struct Made {
        /// From 1 on.
        var number: Int
        /// nil where a living task has its unique key.
        var id: TaskID?
        var state: TaskState?
        var lease: String?
        var createdAt: String
    }

    static func made(_ row: inout RowReader) throws(PostgresError) -> Made {
        Made(
            number: try row.integer() ?? 0,
            id: try row.text().map(TaskID.init(stored:)),
            state: try row.integer().flatMap(TaskState.init(rawValue:)),
            lease: try row.text(),
            createdAt: try row.text() ?? ""
        )
    }

    /// $1 to $3: kb, type and unique key of tasks that were not made. Newer than the insert that
    /// met them.
    static let readTwins = Statement(
        "read_unique_twins",
        """
        SELECT number, id, state, cancel_at IS NOT NULL, \(TaskSQL.iso("created_at"))
        FROM unnest($1::text[], $2::text[], $3::text[], $4::int[])
            AS new (kb_id, type, unique_key, number)
        CROSS JOIN LATERAL (
            SELECT id, state, cancel_at, created_at FROM amity_tasks AS task
            WHERE coalesce(task.kb_id, '') = coalesce(new.kb_id, '') AND task.type = new.type
              AND task.unique_key = new.unique_key AND state < \(TaskSQL.completed)
            LIMIT 1) AS twin
        """
    )

    static func twin(
        _ row: inout RowReader
    ) throws(PostgresError) -> (number: Int, task: SubmittedTask) {
        let number = try row.integer() ?? 0
        let id = TaskID(stored: try row.text() ?? "")
        let state = try row.integer().flatMap(TaskState.init(rawValue:))
        let isCancelAsked = try row.bool() ?? false
        let task = SubmittedTask(
            id: id,
            status: state?.status(isCancelAsked: isCancelAsked) ?? "",
            createdAt: try row.text() ?? "",
            isDuplicate: true
        )
        return (number, task)
    }

    // MARK: Batches

    /// $1 to $5: ids, kbs, tokens, seconds for which they stay open or NULL, callbacks or NULL.
    static let insertBatches = Statement(
        "insert_batches",
        """
        INSERT INTO amity_batches
            (id, kb_id, created_by, created_at, open_until, closed_at, due_at, callback)
        SELECT id::uuid, kb_id, nullif(token, 0), now,
            now + make_interval(secs => open_for::float8),
            CASE WHEN open_for IS NULL THEN now END, now + interval '1 second', callback::jsonb
        FROM (SELECT clock_timestamp() AS now OFFSET 0) AS clock,
            unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::text[])
                AS new (id, kb_id, token, open_for, callback)
        """
    )

    /// $1: ids. Holds them open, and for one at a time, until their new members are there.
    static let holdBatches = Statement(
        "hold_batches",
        """
        SELECT id, kb_id, closed_at IS NULL AND open_until > clock_timestamp()
        FROM amity_batches
        WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
        """
    )

    /// $1 and $2: batches with new members, and the kb of these; NULL where they have several. A
    /// batch of several is none's for good. Members of this transaction are new: see `xmin`.
    static let settleBatches = Statement(
        "settle_batch_kbs",
        """
        UPDATE amity_batches AS batch
        SET kb_id = CASE WHEN batch.kb_id IS NULL AND \(wasEmpty) THEN new.kb_id END
        FROM unnest($1::uuid[], $2::text[]) AS new (id, kb_id)
        WHERE batch.id = new.id AND batch.kb_id IS DISTINCT FROM new.kb_id
          AND (batch.kb_id IS NOT NULL OR \(wasEmpty))
        """
    )
    private static let wasEmpty = """
        (SELECT true FROM amity_tasks AS member
            WHERE batch_id = batch.id AND batch_id IS NOT NULL
              AND NOT \(CallbackSQL.isNew("member"))
            LIMIT 1) IS NULL
        """

    // MARK: Idempotency keys

    /// $1 to $3: token, key, digest. Waits for a request of the same key that is being answered;
    /// an answer that has expired is forgotten.
    static let claimKeys = Statement(
        "claim_request_keys",
        """
        INSERT INTO amity_requests (token, key, digest, created_at)
        SELECT token, key, decode(digest, 'hex'), clock_timestamp()
        FROM unnest($1::int[], $2::text[], $3::text[]) AS new (token, key, digest)
        ORDER BY token, key
        ON CONFLICT (token, key) DO UPDATE
            SET digest = excluded.digest, answer = NULL, created_at = excluded.created_at
            WHERE amity_requests.created_at < excluded.created_at - interval '24 hours'
        """
    )

    /// $1 and $2: token, key. Newer than the claim.
    static let readAnswers = Statement(
        "read_request_answers",
        """
        SELECT new.token, new.key, encode(digest, 'hex'), answer::text
        FROM unnest($1::int[], $2::text[]) AS new (token, key)
        CROSS JOIN LATERAL (
            SELECT digest, answer FROM amity_requests AS asked
            WHERE asked.token = new.token AND asked.key = new.key LIMIT 1) AS found
        """
    )

    struct Answered {
        var key: SubmitRequest.Key
        var digest: String
        /// nil: ours, to be answered now.
        var answer: String?
    }

    static func answered(_ row: inout RowReader) throws(PostgresError) -> Answered {
        Answered(
            key: .init(token: try row.integer() ?? 0, text: try row.text() ?? ""),
            digest: try row.text() ?? "",
            answer: try row.text()
        )
    }

    /// $1 to $3: token, key, answer.
    static let answer = Statement(
        "answer_requests",
        """
        UPDATE amity_requests AS asked SET answer = new.answer::jsonb
        FROM unnest($1::int[], $2::text[], $3::text[]) AS new (token, key, answer)
        WHERE asked.token = new.token AND asked.key = new.key AND asked.answer IS NULL
        """
    )

    /// $1 and $2: token, key. Of requests that were refused: a better one may have the same key.
    static let forgetKeys = Statement(
        "forget_request_keys",
        """
        DELETE FROM amity_requests AS asked
        USING unnest($1::int[], $2::text[]) AS refused (token, key)
        WHERE asked.token = refused.token AND asked.key = refused.key AND asked.answer IS NULL
        """
    )

    /// $1: how many.
    static let newIDs = Statement(
        "new_ids",
        """
        SELECT amity_uuid7(clock_timestamp() + number * interval '1 microsecond')
        FROM generate_series(1, $1::int) AS number
        """
    )
}
