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

    package var isCancelling: Bool { state == .processing && isCancelAsked }
}

/// A worker that has a lease.
package struct WorkerLease: Sendable, Equatable {
    package var worker: TaskID
    /// ISO 8601.
    package var renewedAt: String
    /// Tasks that the database counts as its own.
    package var running: Int
    /// A JSON object; nil for none. Holds no user's data.
    package var facts: String?
}

extension TaskStore {
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

    /// Seconds that half of the latest runs took at most, by type. A type that has not completed
    /// any lately is not there.
    package func medianDurations() throws(PostgresError) -> [String: Double] {
        let medians = try rows(of: StatisticsSQL.medians, []) { row throws(PostgresError) in
            (try row.text() ?? "", try row.double() ?? 0)
        }
        return Dictionary(medians, uniquingKeysWith: { first, _ in first })
    }

    /// Seconds that the latest runs took that have ended, in the mean.
    ///
    /// - Parameter pool: nil for all.
    /// - Returns: nil where none has ended lately.
    package func meanDuration(pool: String?) throws(PostgresError) -> Double? {
        try rows(of: StatisticsSQL.mean, [.optional(pool)]) { row throws(PostgresError) in
            try row.double()
        }.first.flatMap(\.self)
    }

    /// Workers whose leases have not run out.
    package func workers() throws(PostgresError) -> [WorkerLease] {
        try rows(of: StatisticsSQL.workers, []) { row throws(PostgresError) in
            WorkerLease(
                worker: TaskID(stored: try row.text() ?? ""),
                renewedAt: try row.text() ?? "",
                running: try row.integer() ?? 0,
                facts: try row.text()
            )
        }
    }
}

private enum StatisticsSQL {
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

    /// Of the last thousand that ended: by their index, whatever the table's size.
    static let medians = Statement(
        "median_task_durations",
        """
        SELECT type, percentile_cont(0.5)
            WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - started_at)::float8)
        FROM (SELECT * FROM amity_tasks WHERE state >= \(TaskSQL.completed)
              ORDER BY finished_at DESC LIMIT 1000) AS latest
        WHERE state = \(TaskSQL.completed) AND started_at IS NOT NULL
        GROUP BY type
        """
    )

    /// $1: a pool, or NULL.
    static let mean = Statement(
        "mean_task_duration",
        """
        SELECT avg(extract(epoch FROM finished_at - started_at))::float8
        FROM (SELECT pool, started_at, finished_at FROM amity_tasks
              WHERE state >= \(TaskSQL.completed)
              ORDER BY finished_at DESC LIMIT 1000) AS latest
        WHERE started_at IS NOT NULL AND ($1::text IS NULL OR pool = $1)
        """
    )

    static let workers = Statement(
        "task_workers",
        """
        SELECT holder, \(TaskSQL.iso("renewed_at")), coalesce(running, 0), facts::text
        FROM amity_leases
        LEFT JOIN (SELECT worker, count(*) AS running FROM amity_tasks
                   WHERE state = \(TaskSQL.processing) GROUP BY worker) AS own
            ON own.worker = holder
        WHERE name LIKE 'worker %' AND lease_until > clock_timestamp()
        ORDER BY name
        """
    )
}
