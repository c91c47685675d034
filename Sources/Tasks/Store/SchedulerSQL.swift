import Postgres

/// The statements of the scheduler's turn. Each takes at most so many rows, and skips what another
/// session has locked: a second scheduler does no harm.
enum SchedulerSQL {
    /// Read before the scan: what was due then and could be seen, the scan has dealt with.
    static let clock = Statement(
        "scheduler_clock",
        "SELECT \(TaskSQL.iso("clock_timestamp() - interval '5 seconds'"))"
    )

    /// Leases what is to be published. $1 to $3: priorities, for each the most rows and the floor;
    /// $4: pools that are set aside.
    ///
    /// The instant comes from a subquery: a volatile function is no condition of an index.
    static let leaseDue = Statement(
        "lease_due_tasks",
        """
        WITH due AS MATERIALIZED (
            SELECT found.id, found.due_at
            FROM unnest($1::int[], $2::int[], $3::timestamptz[])
                AS part (priority, budget, floor)
            CROSS JOIN LATERAL (
                SELECT id, due_at FROM amity_tasks
                WHERE priority = part.priority AND due_at >= part.floor
                  AND due_at <= (SELECT clock_timestamp())
                  AND state IN (\(TaskSQL.scheduled), \(TaskSQL.queued))
                  AND (deadline IS NULL OR deadline > clock_timestamp())
                  AND pool <> ALL ($4::text[])
                ORDER BY due_at LIMIT part.budget
                FOR UPDATE SKIP LOCKED) AS found)
        UPDATE amity_tasks AS task
        SET state = CASE WHEN state = \(TaskSQL.scheduled) AND limit_key IS NOT NULL
                THEN \(TaskSQL.waiting) ELSE \(TaskSQL.queued) END,
            due_at = CASE WHEN state = \(TaskSQL.scheduled) AND limit_key IS NOT NULL
                THEN deadline ELSE clock_timestamp() + \(TaskSQL.lease) END
        FROM due
        WHERE task.id = ANY (ARRAY(SELECT due.id FROM due)) AND task.id = due.id
        RETURNING task.id, type, pool, priority, state, run, task.due_at::text,
            \(TaskSQL.iso("due.due_at")),
            extract(epoch FROM clock_timestamp() - due.due_at)::float8
        """,
        commits: true
    )

    /// $1: the most rows. `IS TRUE` keeps the planner from all that is due: there may be a million.
    static let expire = Statement(
        "expire_tasks",
        """
        WITH late AS MATERIALIZED (
            SELECT id FROM amity_tasks
            WHERE deadline <= (SELECT clock_timestamp()) AND deadline IS NOT NULL
              AND state < \(TaskSQL.processing)
              AND (due_at <= (SELECT clock_timestamp())) IS TRUE
            ORDER BY deadline LIMIT $1::int
            FOR UPDATE SKIP LOCKED),
        ended AS (
            UPDATE amity_tasks
            SET state = \(TaskSQL.failed), due_at = NULL, finished_at = clock_timestamp()
            WHERE id = ANY (ARRAY(SELECT id FROM late))
            RETURNING \(MovedTask.columns)),
        kept AS (
            UPDATE amity_task_data AS data
            SET errors = \(errors("ended.run", .deadlineExceeded))
            FROM ended WHERE data.id = ended.id)
        SELECT \(MovedTask.columns) FROM ended
        """
    )

    /// Runs that were handed over to a service, which has not reported. $1: the most rows.
    static let timeOut = Statement(
        "time_out_tasks",
        """
        WITH silent AS MATERIALIZED (
            SELECT id, run FROM amity_tasks
            WHERE state = \(TaskSQL.processing) AND worker IS NULL
              AND (due_at <= (SELECT clock_timestamp())) IS TRUE
            ORDER BY due_at LIMIT $1::int
            FOR UPDATE SKIP LOCKED),
        ended AS (
            UPDATE amity_tasks
            SET attempts = attempts + 1,
                \(TaskSQL.leaving(
                    failsIf: "attempts + 1 >= max_attempts",
                    to: "\(TaskSQL.scheduled)",
                    due: TaskSQL.retryDue("NULL::float8")
                ))
            WHERE id = ANY (ARRAY(SELECT id FROM silent))
            RETURNING \(MovedTask.columns)),
        kept AS (
            UPDATE amity_task_data AS data
            SET errors = \(errors("silent.run", .timeout))
            FROM silent WHERE data.id = silent.id)
        SELECT \(MovedTask.columns) FROM ended
        """
    )

    /// Gives back the runs of workers whose leases have run out. A task that may have ended its
    /// worker becomes a suspect; one that ran there alone may fail: see `TaskLife`. Code of a
    /// service runs elsewhere, a callback is no code of others; a type without a row is Swift.
    static let giveBackLost = Statement(
        "give_back_lost_tasks",
        """
        WITH silent AS MATERIALIZED (
            SELECT worker,
                count(*) FILTER (WHERE type <> '\(TaskCallback.type)') AS runs
            FROM amity_tasks
            WHERE state = \(TaskSQL.processing) AND worker IS NOT NULL
              AND NOT EXISTS (
                SELECT FROM amity_leases
                WHERE name = 'worker ' || worker AND lease_until > clock_timestamp())
            GROUP BY worker),
        lost AS MATERIALIZED (
            SELECT task.id, runs = 1 AS is_alone,
                coalesce(handler ->> 'kind', 'swift') <> 'http'
                    AND task.type <> '\(TaskCallback.type)' AS is_on_host
            FROM amity_tasks AS task
            JOIN silent ON task.worker = silent.worker
            LEFT JOIN amity_task_types AS type ON type.type = task.type
            WHERE task.state = \(TaskSQL.processing)
            ORDER BY task.id
            FOR UPDATE OF task SKIP LOCKED),
        ended AS (
            UPDATE amity_tasks AS task
            SET crashes = \(crashes),
                \(TaskSQL.leaving(
                    failsIf: "is_on_host AND \(crashes) >= \(TaskLife.mostCrashes)",
                    to: TaskSQL.givenBackState,
                    due: TaskSQL.givenBackDue
                ))
            FROM lost
            WHERE task.id = ANY (ARRAY(SELECT lost.id FROM lost)) AND task.id = lost.id
            RETURNING task.id, type, pool, priority, state, run),
        kept AS (
            UPDATE amity_task_data AS data
            SET errors = \(errors("ended.run", .workerCrashed))
            FROM ended WHERE data.id = ended.id AND ended.state = \(TaskSQL.failed))
        SELECT \(MovedTask.columns) FROM ended
        """
    )

    private static let crashes = """
        (CASE WHEN is_on_host AND (crashes = 0 OR is_alone) THEN crashes + 1 ELSE crashes END)
        """

    private static func errors(_ run: String, _ code: TaskErrorCode) -> String {
        TaskSQL.errors(with: run, "'\(code.rawValue)'", "'\(code.message)'")
    }

    // MARK: Lost messages

    /// What waits in each queue, by state. At rest: its message is on the broker, as far as is
    /// known.
    static let depths = Statement(
        "task_queue_depths",
        """
        SELECT pool, priority, state, count(*),
            count(*) FILTER (
                WHERE state = \(TaskSQL.queued) AND due_at IS NOT DISTINCT FROM deadline),
            extract(epoch FROM clock_timestamp() - min(created_at))::float8
        FROM amity_tasks WHERE state IN (\(TaskSQL.inPool))
        GROUP BY pool, priority, state
        """
    )

    /// Leases the oldest tasks at rest of a queue, whose messages seem to be lost. $1: pool; $2:
    /// priority; $3: how many.
    static let leaseMissing = Statement(
        "lease_missing_tasks",
        """
        WITH missing AS MATERIALIZED (
            SELECT id FROM amity_tasks
            WHERE state = \(TaskSQL.queued) AND state IN (\(TaskSQL.inPool))
              AND pool = $1 AND priority = $2::int
              AND due_at IS NOT DISTINCT FROM deadline
            ORDER BY id LIMIT $3::int
            FOR UPDATE SKIP LOCKED)
        UPDATE amity_tasks SET due_at = clock_timestamp() + \(TaskSQL.lease)
        WHERE id = ANY (ARRAY(SELECT id FROM missing))
        RETURNING id, type, pool, priority, state, run, due_at::text, NULL, NULL
        """,
        commits: true
    )

    struct Leased {
        var moved: MovedTask
        var publication: Publication
        var state: TaskState { moved.state }
        /// When it was due, ISO 8601.
        var wasDue: String
        /// Since then, in seconds.
        var lateness: Double
    }

    static func leased(_ row: inout RowReader) throws(PostgresError) -> Leased {
        let moved = try MovedTask(&row)
        return Leased(
            moved: moved,
            publication: try Publication(moved, leasedIn: &row),
            wasDue: try row.text() ?? "",
            lateness: try row.double() ?? 0
        )
    }

    // MARK: Retention

    /// $1: seconds since the end; $2: the most rows.
    static let lockOld = Statement(
        "lock_old_tasks",
        """
        SELECT id FROM amity_tasks AS old
        WHERE state >= \(TaskSQL.completed)
          AND finished_at < (SELECT clock_timestamp()) - make_interval(secs => $1::float8)
          AND NOT (\(isWanted))
        ORDER BY finished_at LIMIT $2::int
        FOR UPDATE SKIP LOCKED
        """
    )

    /// $1: ids, locked. Looks once more: a dependent may have come before the lock.
    static let forget = Statement(
        "forget_tasks",
        """
        WITH gone AS (
            DELETE FROM amity_tasks AS old
            WHERE id = ANY ($1::uuid[]) AND NOT (\(isWanted)) RETURNING id),
        data AS (DELETE FROM amity_task_data WHERE id IN (SELECT id FROM gone)),
        needs AS (DELETE FROM amity_task_needs WHERE task IN (SELECT id FROM gone))
        SELECT 1 FROM gone
        """
    )

    /// By a task that waits for it, or a batch that has not ended. LIMIT keeps the planner from
    /// reading all needs at once.
    private static let isWanted = """
        (SELECT true FROM amity_task_needs AS need JOIN amity_tasks AS task ON task.id = need.task
            WHERE need.needs = old.id AND task.state < \(TaskSQL.completed) LIMIT 1) IS TRUE
        OR (SELECT true FROM amity_batches AS batch
            WHERE batch.id = old.batch_id AND finished_at IS NULL LIMIT 1) IS TRUE
        """

    /// $1: the most rows.
    static let forgetRequests = Statement(
        "forget_requests",
        """
        DELETE FROM amity_requests
        WHERE (token, key) IN (
            SELECT token, key FROM amity_requests
            WHERE created_at < (SELECT clock_timestamp()) - interval '24 hours'
            ORDER BY created_at LIMIT $1::int
            FOR UPDATE SKIP LOCKED)
        RETURNING 1
        """,
        commits: true
    )
}
