import Postgres

/// The statements of tasks that need others.
///
/// A need is looked at under a lock on the dependent, in a statement of its own: it sees what the
/// lock waited for. Who inserts a dependent holds what it needs; who ends a task wakes its
/// dependents in a later statement of the same transaction, which sees those that held it up. In
/// one statement each, some dependents would wait for ever.
enum NeedsSQL {
    /// Holds needed tasks until their dependents are there: they cannot end meanwhile. $1: ids.
    static let hold = Statement(
        "hold_needed_tasks",
        """
        SELECT id, kb_id, true FROM amity_tasks
        WHERE id = ANY ($1::uuid[]) ORDER BY id FOR SHARE
        """
    )

    /// Something that was held for a new task.
    struct Held {
        var id: TaskID
        var kbID: String?
        var isOpen: Bool
    }

    static func held(_ row: inout RowReader) throws(PostgresError) -> Held {
        Held(
            id: TaskID(stored: try row.text() ?? ""),
            kbID: try row.text(),
            isOpen: try row.bool() ?? false
        )
    }

    /// $1 to $3: tasks, what they need, whether that must succeed (1) or only end (0).
    static let insert = Statement(
        "insert_task_needs",
        """
        INSERT INTO amity_task_needs (task, needs, must_succeed)
        SELECT task, needs, must_succeed = 1
        FROM unnest($1::uuid[], $2::uuid[], $3::int[]) AS new (task, needs, must_succeed)
        ON CONFLICT DO NOTHING
        """
    )

    /// Lets the scheduler look at the dependents of tasks that have ended, whenever it was to look
    /// before. Lists within lists, and no join: a join may begin with all tasks or all that are
    /// blocked, and the planner's statistics may not know yet how many those are. $1: ids.
    private static let waking = """
        UPDATE amity_tasks SET due_at = clock_timestamp()
        WHERE id = ANY (ARRAY(
            SELECT id FROM amity_tasks
            WHERE id = ANY (ARRAY(
                SELECT task FROM amity_task_needs
                WHERE needs = ANY (ARRAY(
                    SELECT id FROM amity_tasks
                    WHERE id = ANY ($1::uuid[]) AND (state >= \(TaskSQL.completed)) IS TRUE))))
              AND (state = \(TaskSQL.blocked)) IS TRUE
            ORDER BY id
            FOR UPDATE))
        """

    /// Follows the end of a task that is known to have no callback, in its transaction.
    static let wake = Statement("wake_dependents", waking, commits: true)

    /// Follows each other end. Some 25 µs longer than the other one.
    static let wakeAndCall = Statement(
        "wake_dependents_and_call",
        """
        WITH woken AS (\(waking)),
        \(CallbackSQL.tasks),
        \(CallbackSQL.make)
        """,
        commits: true
    )

    // MARK: The scheduler's look

    /// $1: the most rows. What is past its deadline is left to `SchedulerSQL.expire`.
    static let lockDue = Statement(
        "lock_due_dependents",
        """
        SELECT id FROM amity_tasks
        WHERE state = \(TaskSQL.blocked) AND due_at <= (SELECT clock_timestamp())
          AND (deadline IS NULL OR deadline > clock_timestamp())
        ORDER BY due_at LIMIT $1::int
        FOR UPDATE SKIP LOCKED
        """
    )

    /// $1: ids. What needs a task that is gone, or has not succeeded though it had to, is
    /// cancelled; what needs nothing more is let go; the others come to rest.
    static let decide = Statement(
        "decide_dependents",
        """
        WITH verdict AS MATERIALIZED (
            SELECT asked.id, coalesce(bool_or(\(isBroken)), false) AS is_broken,
                coalesce(bool_and(needed.state >= \(TaskSQL.completed)), true) AS is_free,
                min(need.needs::text) FILTER (WHERE \(isBroken)) AS cause
            FROM unnest($1::uuid[]) AS asked (id)
            LEFT JOIN amity_task_needs AS need ON need.task = asked.id
            LEFT JOIN amity_tasks AS needed ON needed.id = need.needs
            GROUP BY asked.id),
        moved AS (
            UPDATE amity_tasks AS task
            SET state = CASE WHEN is_broken THEN \(TaskSQL.cancelled)
                    WHEN is_free THEN \(TaskSQL.givenBackState) ELSE \(TaskSQL.blocked) END,
                due_at = CASE WHEN is_broken THEN NULL
                    WHEN is_free AND limit_key IS NULL THEN clock_timestamp() + \(TaskSQL.lease)
                    ELSE deadline END,
                finished_at = CASE WHEN is_broken THEN clock_timestamp() END
            FROM verdict
            WHERE task.id = ANY ($1::uuid[]) AND task.id = verdict.id
              AND (state = \(TaskSQL.blocked)) IS TRUE
            RETURNING task.id, type, pool, priority, state, run, due_at, cause),
        kept AS (
            UPDATE amity_task_data AS data
            SET errors = \(TaskSQL.errors(
                with: "moved.run",
                "'\(TaskErrorCode.needFailed.rawValue)'",
                "moved.cause"
            ))
            FROM moved WHERE data.id = moved.id AND moved.state = \(TaskSQL.cancelled))
        SELECT id, type, pool, priority, state, run, due_at::text, NULL, NULL FROM moved
        """
    )

    private static let isBroken = """
        need.needs IS NOT NULL AND (needed.id IS NULL
            OR need.must_succeed AND needed.state > \(TaskSQL.completed))
        """

    /// Wakes what is at rest though it could be decided: none, as long as all else is right. $1:
    /// the most rows.
    static let findLost = Statement(
        "find_lost_wakes",
        """
        WITH lost AS MATERIALIZED (
            SELECT id FROM amity_tasks AS task
            WHERE state = \(TaskSQL.blocked) AND due_at IS NOT DISTINCT FROM deadline
              AND (deadline IS NULL OR deadline > clock_timestamp())
              AND (EXISTS (SELECT \(needs) AND \(isBroken))
                OR NOT EXISTS (SELECT \(needs) AND needed.state < \(TaskSQL.completed)))
            ORDER BY id LIMIT $1::int
            FOR UPDATE SKIP LOCKED)
        UPDATE amity_tasks SET due_at = clock_timestamp()
        WHERE id = ANY (ARRAY(SELECT id FROM lost))
        RETURNING 1
        """,
        commits: true
    )

    private static let needs = """
        FROM amity_task_needs AS need
        LEFT JOIN amity_tasks AS needed ON needed.id = need.needs
        WHERE need.task = task.id
        """

    /// $1: id; $2: kb, or NULL. What it needs, with its state; a state of NULL: it is gone.
    static let of = Statement(
        "needs_of_task",
        """
        SELECT need.needs, needed.state, must_succeed
        FROM amity_task_needs AS need
        JOIN amity_tasks AS task ON task.id = need.task
        LEFT JOIN amity_tasks AS needed ON needed.id = need.needs
        WHERE need.task = $1::uuid AND ($2::text IS NULL OR task.kb_id = $2)
        ORDER BY need.needs
        """
    )
}
