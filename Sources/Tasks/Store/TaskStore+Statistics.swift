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
}
