import Postgres

/// Where a task is: it changes with each move.
package struct TaskMark: Sendable, Equatable {
    package var state: TaskState
    package var run: Int
}

/// How far a task is.
package struct TaskProgress: Sendable {
    package var id: TaskID
    package var state: TaskState
    package var run: Int
    package var percent: Int?
    package var isCancelAsked: Bool

    package init(_ view: TaskView) {
        (id, state, run) = (view.id, view.state, view.run)
        (percent, isCancelAsked) = (view.percent, view.isCancelAsked)
    }

    fileprivate init(_ row: inout RowReader) throws(PostgresError) {
        id = TaskID(stored: try row.text() ?? "")
        state = try row.integer().flatMap(TaskState.init(rawValue:)) ?? .queued
        run = try row.integer() ?? 0
        percent = try row.integer()
        isCancelAsked = try row.bool() ?? false
    }
}

/// What has ended of one pool and priority in the last minute, or among the latest ends where those
/// are many.
package struct TaskRate: Sendable, Equatable {
    package var pool: String
    package var priority: Priority
    /// In a minute.
    package var completed: Double
    package var failed: Double
    /// Of both, those that had run before.
    package var retried: Double
    /// Seconds from when those were made that ended with their first run until that began; nil for
    /// none.
    package var meanWait: Double?
}

extension TaskStore {
    package func rates() throws(PostgresError) -> [TaskRate] {
        try rows(of: StatisticsSQL.rates, []) { row throws(PostgresError) in
            TaskRate(
                pool: try row.text() ?? "",
                priority: try row.integer().flatMap(Priority.init(rawValue:)) ?? .normal,
                completed: try row.double() ?? 0,
                failed: try row.double() ?? 0,
                retried: try row.double() ?? 0,
                meanWait: try row.double()
            )
        }
    }

    /// - Returns: those that are there.
    package func marks(of ids: [TaskID]) throws(PostgresError) -> [TaskID: TaskMark] {
        let marks = try rows(of: StatisticsSQL.marks, [.ids(ids)]) { row throws(PostgresError) in
            (
                TaskID(stored: try row.text() ?? ""),
                TaskMark(
                    state: try row.integer().flatMap(TaskState.init(rawValue:)) ?? .queued,
                    run: try row.integer() ?? 0
                )
            )
        }
        return Dictionary(marks, uniquingKeysWith: { first, _ in first })
    }

    /// - Returns: those that are there.
    package func progress(
        ofTasks tasks: [TaskID],
        batches: [TaskID]
    ) throws(PostgresError) -> (tasks: [TaskProgress], batches: [BatchView]) {
        let ofTasks = (StatisticsSQL.progress, [Parameter.ids(tasks)])
        let ofBatches = (BatchSQL.some, [Parameter.ids(batches)])
        return try sessions.withSession { session throws(PostgresError) in
            let flight = [ofTasks] + (batches.isEmpty ? [] : [ofBatches])
            let rows = try session.flight(flight)
            let found = try rows[0].map(TaskProgress.init)
            return (found, batches.isEmpty ? [] : try rows[1].map(BatchSQL.view))
        }
    }
}

enum StatisticsSQL {
    /// Chosen: what a hundredth of a second reads.
    private static let mostEnded = 10_000

    static let rates = Statement(
        "task_rates",
        """
        WITH latest AS MATERIALIZED (
            SELECT pool, priority, state, attempts, run, created_at, started_at, finished_at
            FROM amity_tasks
            WHERE state >= \(TaskSQL.completed)
              AND finished_at > (SELECT clock_timestamp()) - interval '1 minute'
            ORDER BY finished_at DESC LIMIT \(mostEnded)),
        span AS (
            SELECT CASE WHEN count(*) < \(mostEnded) THEN 60 ELSE greatest(0.001,
                extract(epoch FROM clock_timestamp() - min(finished_at)))::float8 END AS seconds
            FROM latest)
        SELECT pool, priority,
            60 * count(*) FILTER (WHERE state = \(TaskSQL.completed)) / seconds,
            60 * count(*) FILTER (WHERE state = \(TaskSQL.failed)) / seconds,
            60 * count(*) FILTER (WHERE state = \(TaskSQL.completed) AND attempts > 0
                OR state = \(TaskSQL.failed) AND attempts > 1) / seconds,
            avg(extract(epoch FROM started_at - created_at)) FILTER (WHERE run = 1)::float8
        FROM latest CROSS JOIN span
        GROUP BY pool, priority, seconds
        """
    )

    /// $1: ids.
    static let marks = Statement(
        "task_marks",
        "SELECT id, state, run FROM amity_tasks WHERE id = ANY ($1::uuid[])"
    )

    /// $1: ids.
    static let progress = Statement(
        "task_progress",
        """
        SELECT id, state, run, progress, cancel_at IS NOT NULL
        FROM amity_tasks WHERE id = ANY ($1::uuid[])
        """
    )
}
