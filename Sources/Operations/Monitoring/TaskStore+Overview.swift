import Foundation
import Postgres
import Tasks

/// Tasks of one type that failed with the same code.
struct FailedTasks: Sendable, Equatable {
    var type: String
    /// nil where none was stored.
    var code: String?
    var count: Int
    var lastAt: Date?
}

/// A task without what its client gave and its handler said: none of that leaves the database here.
struct TaskFacts: Sendable {
    var view: TaskView
    /// The host and process that runs it, or ran it last, while its lease is there.
    var worker: String?
    var cancelAskedAt: Date?
    /// Of a run, in seconds; nil in a list.
    var timeout: Int?
    /// A JSON array of run, code and time of each failure, oldest first; nil in a list.
    var failures: String?

    init(_ row: inout RowReader) throws(PostgresError) {
        view = try TaskView(&row)
        worker = try row.text()
        cancelAskedAt = try row.double().map(Date.init(timeIntervalSince1970:))
        timeout = try row.integer()
        failures = try row.text()
    }
}

extension TaskStore {
    /// So many failed tasks are grouped: the latest.
    static let mostGrouped = 1_000

    /// Whether there are tables of tasks that this role may read.
    func hasTables() throws(PostgresError) -> Bool {
        try rows(of: OverviewSQL.hasTables, []) { row throws(PostgresError) in
            try row.bool() ?? false
        }.first ?? false
    }

    /// The latest failed tasks, at most `mostGrouped`, by type and code.
    func failed() throws(PostgresError) -> [FailedTasks] {
        try rows(of: OverviewSQL.failed, []) { row throws(PostgresError) in
            FailedTasks(
                type: try row.text() ?? "",
                code: try row.text(),
                count: try row.integer() ?? 0,
                lastAt: try row.double().map(Date.init(timeIntervalSince1970:))
            )
        }
    }

    func facts(of id: TaskID) throws(PostgresError) -> TaskFacts? {
        try rows(of: OverviewSQL.facts, [.id(id)], TaskFacts.init).first
    }

    /// A page, newest first; `filter.before` is the cursor.
    func facts(_ filter: TaskFilter, limit: Int) throws(PostgresError) -> [TaskFacts] {
        let (statement, parameters) = OverviewSQL.page(filter)
        return try rows(of: statement, [.integer(limit)] + parameters, TaskFacts.init)
    }
}

enum OverviewSQL {
    /// Chosen: what a hundredth of a second reads.
    private static let mostEnded = 10_000

    static let hasTables = Statement(
        "has_task_tables",
        """
        SELECT count(*) = 3
        FROM unnest(ARRAY['amity_tasks', 'amity_task_data', 'amity_leases']) AS own
        WHERE has_table_privilege(to_regclass(own), 'SELECT')
        """
    )

    /// Ends among the latest that failed or were cancelled, which have an index together: so many
    /// may have been cancelled at once that no failed task would be found near.
    static let failed = Statement(
        "failed_tasks",
        """
        WITH latest AS MATERIALIZED (
            SELECT id, type, finished_at
            FROM (SELECT id, type, state, finished_at FROM amity_tasks
                  WHERE state IN (\(TaskSQL.retryable))
                  ORDER BY id DESC LIMIT \(10 * mostEnded)) AS ended
            WHERE state = \(TaskSQL.failed) LIMIT \(TaskStore.mostGrouped))
        SELECT type, code, count(*), extract(epoch FROM max(finished_at))::float8
        FROM (SELECT type, finished_at, (SELECT errors -> -1 ->> 'code'
                  FROM amity_task_data AS data WHERE data.id = latest.id) AS code
              FROM latest) AS told
        GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2
        """
    )

    /// $1: the most rows.
    static func page(_ filter: TaskFilter) -> (Statement, [Parameter]) {
        filter.page(named: "page_of_tasks", "\(columns), NULL, NULL", join: lease)
    }

    /// $1: id.
    static let facts = Statement(
        "task_facts",
        """
        SELECT \(columns), timeout_seconds,
            (SELECT jsonb_agg(jsonb_build_object('run', failure -> 'run',
                'code', failure -> 'code', 'at', failure -> 'at'))
             FROM jsonb_path_query(errors, '$[*]') AS failure)::text
        FROM amity_tasks AS task
        LEFT JOIN amity_task_data AS data ON data.id = task.id
        \(lease)
        WHERE task.id = $1::uuid
        """
    )

    private static let columns = """
        \(TaskView.columns), lease.facts ->> 'name', extract(epoch FROM task.cancel_at)::float8
        """

    /// Of its worker.
    private static let lease = """
        LEFT JOIN LATERAL (
            SELECT facts FROM amity_leases WHERE name = 'worker ' || task.worker LIMIT 1
        ) AS lease ON true
        """
}
