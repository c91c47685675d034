import Postgres

/// The statements of a run: from the broker's confirm to its end. $1 and $2 are the task's id and
/// the run.
enum RunSQL {
    /// $1 to $3: ids, runs, and the `due_at` that the sender has set. `IS TRUE` keeps the planner
    /// from all that is queued or due: there may be a million, of which its statistics know nothing
    /// yet.
    static let published = Statement(
        "tasks_published",
        """
        UPDATE amity_tasks AS task SET due_at = task.deadline
        FROM unnest($1::uuid[], $2::int[], $3::timestamptz[]) AS sent (id, run, lease)
        WHERE task.id = sent.id AND task.run = sent.run
          AND (state = \(TaskSQL.queued) AND due_at = sent.lease) IS TRUE
        """,
        commits: true
    )

    private static let claimedColumns = """
        id, type, pool, priority, kb_id, limit_key, run, attempts, max_attempts, crashes
        """

    private static let claiming = """
        state = \(TaskSQL.processing), worker = $3::uuid, started_at = clock_timestamp(),
        due_at = NULL, progress = NULL
        """

    private static let mayBegin = """
        \(TaskSQL.isQueued) AND cancel_at IS NULL
        AND (deadline IS NULL OR deadline > clock_timestamp())
        """

    /// Those of $1 that no other transaction holds.
    private static let free = """
        free AS MATERIALIZED (
            SELECT id FROM amity_tasks WHERE id = ANY ($1::uuid[])
            FOR NO KEY UPDATE SKIP LOCKED)
        """

    private static let claimedTasks = """
        SELECT claimed.*, payload::text, timeout_seconds, callback IS NOT NULL,
            extract(epoch FROM clock_timestamp() - (errors -> -1 ->> 'since')::timestamptz)::float8
        FROM claimed LEFT JOIN amity_task_data AS data USING (id)
        """

    /// $3: the worker; $4: the digest of a run token, in hexadecimal, or NULL; $5: whether a
    /// suspect may begin.
    static let claim = Statement(
        "claim_task",
        """
        WITH claimed AS (
            UPDATE amity_tasks SET \(claiming)
            WHERE id = $1::uuid AND run = $2::int AND \(mayBegin) AND (crashes = 0 OR $5::bool)
            RETURNING \(claimedColumns)),
        token AS (
            UPDATE amity_task_data AS data SET run_token = decode($4, 'hex')
            FROM claimed WHERE data.id = claimed.id AND $4::text IS NOT NULL)
        \(claimedTasks)
        """,
        commits: true
    )

    /// The same for several, none of them a suspect. $1, $2 and $4 are arrays. It waits for no
    /// lock: what is locked it leaves out, so that no circle can come of the other rows of its
    /// transaction.
    static let claimTogether = Statement(
        "claim_tasks",
        """
        WITH \(free),
        asked AS MATERIALIZED (
            SELECT * FROM unnest($1::uuid[], $2::int[], $4::text[]) AS asked (id, run, token)),
        claimed AS (
            UPDATE amity_tasks SET \(claiming)
            WHERE id = ANY (ARRAY(SELECT id FROM free))
              AND run = ANY (ARRAY(SELECT run FROM asked WHERE asked.id = amity_tasks.id))
              AND \(mayBegin) AND crashes = 0
            RETURNING \(claimedColumns)),
        token AS (
            UPDATE amity_task_data AS data SET run_token = decode(asked.token, 'hex')
            FROM asked
            WHERE data.id = ANY (ARRAY(SELECT id FROM claimed)) AND data.id = asked.id
              AND asked.run = (SELECT run FROM claimed WHERE claimed.id = asked.id)
              AND asked.token IS NOT NULL)
        \(claimedTasks)
        """,
        commits: true
    )

    /// Whether the task still waits to be claimed.
    static let isSuspect = Statement(
        "is_suspect_task",
        """
        SELECT 1 FROM amity_tasks
        WHERE id = $1::uuid AND run = $2::int AND \(TaskSQL.isQueued) AND crashes > 0
          AND cancel_at IS NULL AND (deadline IS NULL OR deadline > clock_timestamp())
        """
    )

    /// Back to the scheduler, for a worker that has such a handler.
    static let unhandled = Statement(
        "task_unhandled",
        """
        UPDATE amity_tasks SET due_at = clock_timestamp() + \(TaskSQL.lease)
        WHERE id = $1::uuid AND run = $2::int AND \(TaskSQL.isQueued)
        RETURNING 1
        """,
        commits: true
    )

    // MARK: Ends of a run

    /// $3: JSON, or NULL.
    static let succeed = Statement(
        "task_succeeded",
        """
        WITH ended AS (
            UPDATE amity_tasks
            SET state = \(TaskSQL.completed), due_at = NULL, finished_at = clock_timestamp()
            WHERE id = $1::uuid AND run = $2::int AND \(TaskSQL.isProcessing)
            RETURNING \(MovedTask.columns)),
        kept AS (
            UPDATE amity_task_data AS data SET result = $3::jsonb
            FROM ended WHERE data.id = ended.id AND $3::jsonb IS NOT NULL)
        SELECT \(MovedTask.columns) FROM ended
        """
    )

    /// The same for several: arrays. What is locked it leaves out.
    static let succeedTogether = Statement(
        "tasks_succeeded",
        """
        WITH \(free),
        done AS MATERIALIZED (
            SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[]) AS done (id, run, result)),
        ended AS (
            UPDATE amity_tasks
            SET state = \(TaskSQL.completed), due_at = NULL, finished_at = clock_timestamp()
            WHERE id = ANY (ARRAY(SELECT id FROM free))
              AND run = ANY (ARRAY(SELECT run FROM done WHERE done.id = amity_tasks.id))
              AND \(TaskSQL.isProcessing)
            RETURNING \(MovedTask.columns)),
        kept AS (
            UPDATE amity_task_data AS data SET result = done.result::jsonb
            FROM done
            WHERE data.id = ANY (ARRAY(SELECT id FROM ended)) AND data.id = done.id
              AND done.run = (SELECT run FROM ended WHERE ended.id = done.id)
              AND done.result IS NOT NULL)
        SELECT \(MovedTask.columns) FROM ended
        """
    )

    /// $3: code; $4: message; $5: whether another run may follow; $6: seconds until then, or NULL
    /// for the backoff.
    static let fail = Statement(
        "task_failed",
        leaving(
            setting: "attempts = attempts + 1,",
            failsIf: "NOT $5::bool OR attempts + 1 >= max_attempts",
            due: "$6::float8",
            errors: TaskSQL.errors(with: "$2::int", "$3::text", "$4::text")
        )
    )

    /// $3: seconds; $4 and $5: code and message of the service's answer, or NULL.
    static let snooze = Statement(
        "task_snoozed",
        leaving(
            failsIf: "false",
            due: "$3::float8",
            errors: TaskSQL.errors(puttingOff: "$2::int", "$4::text", "$5::text"),
            where: "ended.state = \(TaskSQL.scheduled) AND $4::text IS NOT NULL"
        )
    )

    /// Ends run $2 of task $1, after which another may come.
    ///
    /// - Parameters:
    ///   - setting: what else is set in its row.
    ///   - due: seconds until the next run; NULL for the backoff.
    ///   - errors: its list of failures from now on, where `condition` holds for what has `ended`.
    private static func leaving(
        setting: String = "",
        failsIf isOver: String,
        due: String,
        errors: String,
        where condition: String = "true"
    ) -> String {
        """
        WITH ended AS (
            UPDATE amity_tasks
            SET \(setting) \(TaskSQL.leaving(
                failsIf: isOver,
                to: "\(TaskSQL.scheduled)",
                due: TaskSQL.retryDue(due)
            ))
            WHERE id = $1::uuid AND run = $2::int AND \(TaskSQL.isProcessing)
            RETURNING \(MovedTask.columns)),
        kept AS (
            UPDATE amity_task_data AS data SET errors = \(errors)
            FROM ended WHERE data.id = ended.id AND \(condition))
        SELECT \(MovedTask.columns) FROM ended
        """
    }

    /// The handler has stopped as it was asked to.
    static let stop = Statement(
        "task_stopped",
        """
        UPDATE amity_tasks
        SET state = \(TaskSQL.cancelled), due_at = NULL, finished_at = clock_timestamp()
        WHERE id = $1::uuid AND run = $2::int AND \(TaskSQL.isProcessing)
        RETURNING \(MovedTask.columns)
        """
    )

    /// $3: the worker.
    static let giveBack = Statement(
        "task_given_back",
        """
        UPDATE amity_tasks
        SET \(TaskSQL.leaving(
            failsIf: "false",
            to: TaskSQL.givenBackState,
            due: TaskSQL.givenBackDue
        ))
        WHERE id = $1::uuid AND run = $2::int AND \(TaskSQL.isProcessing)
          AND worker = $3::uuid
        RETURNING \(MovedTask.columns)
        """
    )

    /// $3: the worker; $4: seconds within which the service must report.
    static let handOver = Statement(
        "task_handed_over",
        """
        UPDATE amity_tasks
        SET state = CASE WHEN cancel_at IS NULL THEN \(TaskSQL.processing)
                ELSE \(TaskSQL.cancelled) END,
            due_at = CASE WHEN cancel_at IS NULL
                THEN clock_timestamp() + make_interval(secs => $4::float8) END,
            finished_at = CASE WHEN cancel_at IS NOT NULL THEN clock_timestamp() END,
            worker = CASE WHEN cancel_at IS NOT NULL THEN worker END
        WHERE id = $1::uuid AND run = $2::int AND \(TaskSQL.isProcessing)
          AND worker = $3::uuid
        RETURNING \(MovedTask.columns)
        """
    )

    /// Whether the task was completed by this run with this result. $3: JSON, or NULL.
    static let isCompleted = Statement(
        "is_completed_task",
        """
        SELECT 1 FROM amity_tasks JOIN amity_task_data AS data USING (id)
        WHERE id = $1::uuid AND run = $2::int AND (state = \(TaskSQL.completed)) IS TRUE
          AND result IS NOT DISTINCT FROM $3::jsonb
        """
    )

    /// By the service that a run was handed over to. $3: percent, or NULL; $4: note, or NULL.
    static let reportProgress = Statement(
        "task_reported_progress",
        """
        WITH moved AS (
            UPDATE amity_tasks AS task
            SET progress = coalesce($3::int, progress),
                due_at = clock_timestamp() + make_interval(secs => timeout_seconds)
            FROM amity_task_data AS data
            WHERE task.id = $1::uuid AND run = $2::int AND \(TaskSQL.isProcessing)
              AND worker IS NULL AND data.id = task.id
            RETURNING task.id),
        noted AS (
            UPDATE amity_task_data AS data SET note = $4
            FROM moved WHERE data.id = moved.id AND $4::text IS NOT NULL)
        SELECT 1 FROM moved
        """,
        commits: true
    )

    /// The same while a worker still waits for the service's answer: nothing is due then.
    static let tellProgress = Statement(
        "task_told_progress",
        """
        WITH moved AS (
            UPDATE amity_tasks SET progress = coalesce($3::int, progress)
            WHERE id = $1::uuid AND run = $2::int AND \(TaskSQL.isProcessing)
              AND worker IS NOT NULL
            RETURNING id),
        noted AS (
            UPDATE amity_task_data AS data SET note = $4
            FROM moved WHERE data.id = moved.id AND $4::text IS NOT NULL)
        SELECT 1 FROM moved
        """,
        commits: true
    )

    /// $2: the digest of a run token. What it may be used for: the row as it is.
    static let tokenHolder = Statement(
        "run_token_holder",
        """
        SELECT state, run, worker IS NULL, cancel_at IS NOT NULL
        FROM amity_tasks JOIN amity_task_data AS data USING (id)
        WHERE id = $1::uuid AND run_token = decode($2, 'hex')
        """
    )
}

/// What a worker has claimed.
package struct ClaimedTask: Sendable {
    package var id: TaskID
    package var type: String
    package var pool: String
    package var priority: Priority
    package var kbID: String?
    package var run: Int
    /// From 1 on: one more than have failed.
    package var attempt: Int
    package var maxAttempts: Int
    /// It may have ended a worker: nothing starts beside it.
    package var isSuspect: Bool
    /// JSON.
    package var payload: String
    /// In seconds.
    package var timeout: Int
    /// Whether its end is to be told.
    package var hasCallback = true
    /// Its limit's key; nil for none.
    package var limitKey: String?
    /// Seconds since the first answer in a row that put it off; nil where the last run did not end
    /// so.
    package var putOff: Double?
}

extension ClaimedTask {
    init(_ row: inout RowReader) throws(PostgresError) {
        id = TaskID(stored: try row.text() ?? "")
        type = try row.text() ?? ""
        pool = try row.text() ?? ""
        priority = try row.integer().flatMap(Priority.init(rawValue:)) ?? .normal
        kbID = try row.text()
        limitKey = try row.text()
        run = try row.integer() ?? 0
        attempt = try (row.integer() ?? 0) + 1
        maxAttempts = try row.integer() ?? 0
        isSuspect = try row.integer() ?? 0 > 0
        payload = try row.text() ?? "null"
        timeout = try row.integer() ?? RetryRule.timeout
        hasCallback = try row.bool() ?? true
        putOff = try row.double()
    }
}
