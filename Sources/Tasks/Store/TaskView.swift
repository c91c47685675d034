import Foundation
import Postgres

/// A task as clients and operators see it.
package struct TaskView: Sendable {
    package var id: TaskID
    package var type: String
    package var pool: String
    package var priority: Priority
    package var state: TaskState
    package var run: Int
    /// Runs that failed.
    package var attempts: Int
    package var maxAttempts: Int
    package var crashes: Int
    package var percent: Int?
    package var isCancelAsked: Bool
    package var kbID: String?
    package var batchID: TaskID?
    package var uniqueKey: String?
    package var createdAt: Date
    /// When the scheduler looks next: of a scheduled task, when it runs.
    package var dueAt: Date?
    package var deadline: Date?
    package var startedAt: Date?
    package var finishedAt: Date?
    /// The last failure's.
    package var errorCode: String?

    package static let columns = """
        task.id, task.type, pool, priority, state, run, attempts, max_attempts, crashes, progress,
            cancel_at IS NOT NULL, kb_id, batch_id, unique_key, \(epoch("created_at")),
            \(epoch("due_at")), \(epoch("deadline")), \(epoch("started_at")),
            \(epoch("finished_at")), errors -> -1 ->> 'code'
        """

    private static func epoch(_ column: String) -> String {
        "extract(epoch FROM task.\(column))::float8"
    }

    package init(_ row: inout RowReader) throws(PostgresError) {
        let moved = try MovedTask(&row)
        (id, type, pool) = (moved.id, moved.type, moved.pool)
        (priority, state, run) = (moved.priority, moved.state, moved.run)
        attempts = try row.integer() ?? 0
        maxAttempts = try row.integer() ?? 0
        crashes = try row.integer() ?? 0
        percent = try row.integer()
        isCancelAsked = try row.bool() ?? false
        kbID = try row.text()
        batchID = try row.text().map(TaskID.init(stored:))
        uniqueKey = try row.text()
        createdAt = Date(timeIntervalSince1970: try row.double() ?? 0)
        dueAt = try row.double().map(Date.init(timeIntervalSince1970:))
        deadline = try row.double().map(Date.init(timeIntervalSince1970:))
        startedAt = try row.double().map(Date.init(timeIntervalSince1970:))
        finishedAt = try row.double().map(Date.init(timeIntervalSince1970:))
        errorCode = try row.text()
    }

    package var mark: TaskMark { TaskMark(state: state, run: run) }

    /// The run that comes, or has come last, from 1 on: after the failure that was the last one,
    /// none comes.
    package var attempt: Int {
        state == .failed ? max(1, attempts) : min(attempts + 1, maxAttempts)
    }
}

/// With what its client gave and got. Users' data: for no log.
package struct TaskDetail: Sendable {
    package var view: TaskView
    package var timeout: Int
    /// JSON.
    package var payload: String
    package var tags: String?
    package var result: String?
    /// A JSON array of failures, oldest first: run, code, message, at.
    package var errors: String?
    package var note: String?
    /// The database's clock.
    package var readAt: Date

    init(_ row: inout RowReader) throws(PostgresError) {
        view = try TaskView(&row)
        timeout = try row.integer() ?? 0
        payload = try row.text() ?? "null"
        tags = try row.text()
        result = try row.text()
        errors = try row.text()
        note = try row.text()
        readAt = Date(timeIntervalSince1970: try row.double() ?? 0)
    }
}

extension TaskStore {
    /// - Parameter kbID: where given, another kb's task is none.
    package func get(_ id: TaskID, kbID: String? = nil) throws(PostgresError) -> TaskDetail? {
        try rows(of: Self.get, [.id(id), .optional(kbID)], TaskDetail.init).first
    }

    /// A page, newest first; `filter.before` is the cursor. No total: it would have to count.
    package func list(_ filter: TaskFilter, limit: Int) throws(PostgresError) -> [TaskView] {
        let (statement, parameters) = Self.listing(filter)
        return try rows(of: statement, [.integer(limit)] + parameters, TaskView.init)
    }

    /// $1: the most rows.
    static func listing(_ filter: TaskFilter) -> (Statement, [Parameter]) {
        filter.page(named: "list_tasks", TaskView.columns)
    }

    /// $1: id; $2: kb, or NULL.
    private static let get = Statement(
        "get_task",
        """
        SELECT \(TaskView.columns), timeout_seconds, payload::text, tags::text, result::text,
            errors::text, note, extract(epoch FROM clock_timestamp())::float8
        FROM amity_tasks AS task LEFT JOIN amity_task_data AS data USING (id)
        WHERE id = $1::uuid AND ($2::text IS NULL OR kb_id = $2)
        """
    )
}
