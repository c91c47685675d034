import Postgres

/// The statements by which clients and operators move tasks.
enum OperatorSQL {
    /// What becomes of a task whose cancellation is asked for: one that a worker runs is told to
    /// stop; every other ends now.
    private static let cancelling = """
        state = CASE WHEN \(runs) THEN state ELSE \(TaskSQL.cancelled) END,
        due_at = CASE WHEN \(runs) THEN due_at END,
        finished_at = CASE WHEN NOT (\(runs)) THEN clock_timestamp() END,
        cancel_at = coalesce(cancel_at, clock_timestamp())
        """
    private static let runs = "state = \(TaskSQL.processing) AND worker IS NOT NULL"

    /// $1: id; $2: kb, or NULL.
    static let cancel = Statement(
        "cancel_task",
        """
        UPDATE amity_tasks SET \(cancelling)
        WHERE id = $1::uuid AND state < \(TaskSQL.completed) AND ($2::text IS NULL OR kb_id = $2)
        RETURNING \(MovedTask.columns)
        """
    )

    /// $1: the most rows.
    static func cancelAll(_ filter: TaskFilter) -> (Statement, [Parameter]) {
        let (name, sql, parameters) = filter.conditions(from: 2)
        return (
            Statement(
                "cancel_tasks_\(name)",
                """
                WITH chosen AS MATERIALIZED (
                    SELECT id FROM amity_tasks AS task
                    WHERE state < \(TaskSQL.completed) AND \(sql)\(sparing(filter))
                    ORDER BY id LIMIT $1::int
                    FOR UPDATE)
                UPDATE amity_tasks SET \(cancelling)
                WHERE id = ANY (ARRAY(SELECT id FROM chosen)) AND state < \(TaskSQL.completed)
                RETURNING \(MovedTask.columns)
                """,
                timer: "cancel_tasks"
            ), parameters
        )
    }

    /// The same without an effect.
    static func wouldCancel(_ filter: TaskFilter) -> (Statement, [Parameter]) {
        matching(filter, "would_cancel_tasks", "state < \(TaskSQL.completed)\(sparing(filter))")
    }

    /// Who cancels tasks does not mean what tells of their ends, unless its type is named.
    private static func sparing(_ filter: TaskFilter) -> String {
        filter.type == nil ? " AND type <> '\(TaskCallback.type)'" : ""
    }

    /// $1: id; $2: kb, or NULL. A living twin of its unique key makes it fail (23505).
    static let retry = Statement(
        "retry_task",
        """
        WITH moved AS (
            UPDATE amity_tasks SET \(retrying)
            WHERE id = $1::uuid AND state IN (\(TaskSQL.retryable))
              AND ($2::text IS NULL OR kb_id = $2)
            RETURNING \(MovedTask.columns)),
        cleared AS (
            UPDATE amity_task_data AS data
            SET result = NULL, note = NULL, errors = \(TaskSQL.errorsThatCount)
            FROM moved WHERE data.id = moved.id)
        SELECT \(MovedTask.columns) FROM moved
        """,
        commits: true
    )

    private static let retrying = """
        state = \(TaskSQL.givenBackState), due_at = CASE WHEN limit_key IS NULL
            THEN clock_timestamp() END,
        run = run + 1, attempts = 0, crashes = 0, worker = NULL, cancel_at = NULL, deadline = NULL,
        progress = NULL, started_at = NULL, finished_at = NULL
        """

    /// What a filter names of the failed and the cancelled. $1: the most rows.
    static func retryable(_ filter: TaskFilter) -> (Statement, [Parameter]) {
        matching(filter, "retryable_tasks", "state IN (\(TaskSQL.retryable))")
    }

    private static func matching(
        _ filter: TaskFilter,
        _ what: String,
        _ states: String
    ) -> (Statement, [Parameter]) {
        let (name, sql, parameters) = filter.conditions(from: 2)
        return (
            Statement(
                "\(what)_\(name)",
                """
                SELECT \(MovedTask.columns) FROM amity_tasks AS task
                WHERE \(states) AND \(sql)
                ORDER BY id LIMIT $1::int
                """,
                timer: what
            ), parameters
        )
    }

    /// $1: id; $2: kb, or NULL; $3: the new priority. What is queued gets a message in its new
    /// queue; that in the old one is outdated by the run.
    static let reprioritise = Statement(
        "change_task_priority",
        """
        UPDATE amity_tasks
        SET priority = $3::int,
            run = CASE WHEN state = \(TaskSQL.queued) THEN run + 1 ELSE run END,
            due_at = CASE WHEN state = \(TaskSQL.queued) THEN clock_timestamp() ELSE due_at END
        WHERE id = $1::uuid AND state < \(TaskSQL.processing) AND ($2::text IS NULL OR kb_id = $2)
          AND priority <> $3::int
        RETURNING \(MovedTask.columns)
        """,
        commits: true
    )

    /// $1: id; $2: kb, or NULL.
    static let look = Statement(
        "look_at_task",
        """
        SELECT \(MovedTask.columns) FROM amity_tasks
        WHERE id = $1::uuid AND ($2::text IS NULL OR kb_id = $2)
        """
    )
}
