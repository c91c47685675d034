import Postgres

/// The statements of callbacks. One is a task like any other, made in the transaction of the end
/// that it tells of. What it sends is put together then: the row may begin anew, or be gone.
enum CallbackSQL {
    /// Makes the callbacks of tasks that this transaction has ended, in a statement after the one
    /// that ended them: `xmin` keeps it from those that had ended before. $1: ids.
    static let tasks = """
        told AS MATERIALIZED (
            SELECT amity_uuid7(clock_timestamp()) AS id, pool, priority, callback,
                \(event(
                    id: "ended.id || '.' || run || '.end'",
                    type: "'task.' || \(name)",
                    subject: "ended.id",
                    data: """
                        'task_id', ended.id, 'task_type', type, 'kb_id', kb_id,
                        'batch_id', batch_id, 'tags', tags, 'status', \(name), 'run', run,
                        'attempt', \(attempt), 'progress', progress,
                        'created_at', \(TaskSQL.iso("created_at")),
                        'started_at', \(TaskSQL.iso("started_at")),
                        'finished_at', \(TaskSQL.iso("finished_at")), 'result', result,
                        'error', CASE WHEN state <> \(TaskSQL.completed)
                            AND errors IS NOT NULL THEN jsonb_build_object(
                                'code', errors -> -1 -> 'code',
                                'message', errors -> -1 -> 'message') END
                        """
                )) AS event
            FROM amity_tasks AS ended
            CROSS JOIN LATERAL (
                SELECT callback, tags, result, errors FROM amity_task_data
                WHERE id = ended.id LIMIT 1) AS data
            WHERE ended.id = ANY ($1::uuid[]) AND callback IS NOT NULL
              AND (state >= \(TaskSQL.completed)) IS TRUE
              AND \(isNew("ended")))
        """

    /// Whether this transaction has made this version of a row.
    static func isNew(_ row: String) -> String {
        "\(row).xmin = (txid_current_if_assigned() & 4294967295)::text::xid"
    }

    private static let name = """
        (CASE state WHEN \(TaskSQL.completed) THEN 'completed'
            WHEN \(TaskSQL.failed) THEN 'failed' ELSE 'cancelled' END)
        """

    /// As `TaskView` has it.
    private static let attempt = """
        CASE WHEN state = \(TaskSQL.failed) THEN greatest(1, attempts)
            ELSE least(attempts + 1, max_attempts) END
        """

    /// The same for batches: for the rows of a part `ended`, which may have ended them. They go to
    /// the pool of their first task.
    static let batches = """
        told AS MATERIALIZED (
            SELECT amity_uuid7(clock_timestamp()) AS id, pool,
                \(Priority.normal.rawValue) AS priority, callback,
                \(event(
                    id: "ended.id || '.end'",
                    type: "'batch.' || \(batchName)",
                    subject: "ended.id",
                    data: """
                        'batch_id', ended.id, 'kb_id', kb_id, 'status', \(batchName),
                        'total', total, 'tasks', jsonb_build_object('completed', completed,
                            'failed', failed, 'cancelled', cancelled),
                        'created_at', \(TaskSQL.iso("created_at")),
                        'finished_at', \(TaskSQL.iso("finished_at"))
                        """
                )) AS event
            FROM ended
            CROSS JOIN LATERAL (
                SELECT count(*) AS total,
                    count(*) FILTER (WHERE state = \(TaskSQL.completed)) AS completed,
                    count(*) FILTER (WHERE state = \(TaskSQL.failed)) AS failed,
                    count(*) FILTER (WHERE state = \(TaskSQL.cancelled)) AS cancelled,
                    coalesce((array_agg(task.pool ORDER BY task.id))[1], 'default') AS pool
                FROM amity_tasks AS task
                WHERE task.batch_id = ended.id AND task.batch_id IS NOT NULL) AS members
            WHERE callback IS NOT NULL AND finished_at IS NOT NULL)
        """
    private static let batchName = """
        (CASE WHEN cancelled_at IS NULL THEN 'finished' ELSE 'cancelled' END)
        """

    /// A CloudEvent in its structured form.
    private static func event(
        id: String,
        type: String,
        subject: String,
        data: String
    ) -> String {
        """
        jsonb_build_object('specversion', '1.0', 'id', \(id), 'source', '/amity/tasks',
            'type', 'amity.' || \(type), 'subject', \(subject),
            'time', \(TaskSQL.iso("finished_at")), 'datacontenttype', 'application/json',
            'data', jsonb_build_object(\(data)))
        """
    }

    /// The rows of what was `told`: the last parts of a statement.
    ///
    /// They wait until the limit of their host lets them go. Neither kb nor batch is theirs: who
    /// lists or cancels those means the tasks in them.
    static let make = """
        called AS (
            INSERT INTO amity_tasks
                (id, type, pool, priority, state, max_attempts, limit_key, created_at)
            SELECT id, '\(TaskCallback.type)', pool, priority, \(TaskSQL.waiting),
                \(TaskCallback.pauses.count + 1), \(TaskSQL.limitKey("key")), clock_timestamp()
            FROM told, concat('\(TaskCallback.type):', callback ->> 'host') AS key)
        INSERT INTO amity_task_data (id, payload, timeout_seconds)
        SELECT id, callback || jsonb_build_object('event', event), \(timeout) FROM told
        """

    /// Of a run, in seconds: longer than its request takes.
    private static let timeout = 30
}
