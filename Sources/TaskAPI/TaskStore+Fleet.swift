import Postgres
import Tasks

/// A worker that has a lease.
struct WorkerLease: Sendable, Equatable {
    var worker: TaskID
    /// ISO 8601.
    var renewedAt: String
    /// Tasks that the database counts as its own.
    var running: Int
    /// A JSON object; nil for none. Holds no user's data.
    var facts: String?
}

extension TaskStore {
    /// Seconds that half of the latest runs took at most, by type. A type that has not completed
    /// any lately is not there.
    func medianDurations() throws(PostgresError) -> [String: Double] {
        let medians = try rows(of: FleetSQL.medians, []) { row throws(PostgresError) in
            (try row.text() ?? "", try row.double() ?? 0)
        }
        return Dictionary(medians, uniquingKeysWith: { first, _ in first })
    }

    /// Seconds that the latest runs took that have ended, in the mean.
    ///
    /// - Parameter pool: nil for all.
    /// - Returns: nil where none has ended lately.
    func meanDuration(pool: String?) throws(PostgresError) -> Double? {
        try rows(of: FleetSQL.mean, [.optional(pool)]) { row throws(PostgresError) in
            try row.double()
        }.first.flatMap(\.self)
    }

    /// Workers whose leases have not run out.
    func workers() throws(PostgresError) -> [WorkerLease] {
        try rows(of: FleetSQL.workers, []) { row throws(PostgresError) in
            WorkerLease(
                worker: TaskID(stored: try row.text() ?? ""),
                renewedAt: try row.text() ?? "",
                running: try row.integer() ?? 0,
                facts: try row.text()
            )
        }
    }
}

private enum FleetSQL {
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
