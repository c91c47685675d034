import Postgres

/// Which tasks are meant. Each combination of conditions is a statement of its own: so that each
/// can use an index, and states stand in it as numbers.
package struct TaskFilter: Hashable, Sendable {
    package var kbID: String?
    package var state: TaskState?
    package var type: String?
    package var batchID: TaskID?
    /// Only those whose cancellation has not been asked for.
    package var isUntouched = false
    /// Of the last failure.
    package var code: String?
    /// In milliseconds since 1970.
    package var createdAfter: Int?
    /// Older than this one: the cursor.
    package var before: TaskID?

    package init() {}

    /// The conditions on `task` and its parameters, numbered from `first` on; the name tells the
    /// combination.
    func conditions(from first: Int) -> (name: String, sql: String, parameters: [Parameter]) {
        var (name, sql, parameters): (String, [String], [Parameter]) = ("", [], [])
        func add(_ mark: String, _ condition: (String) -> String, _ parameter: Parameter?) {
            guard let parameter else { return }
            name += mark
            sql.append(condition("$\(first + parameters.count)"))
            parameters.append(parameter)
        }
        if let state {
            name += "s\(state.rawValue)"
            sql.append(state.condition)
        }
        if isUntouched {
            name += "u"
            sql.append("task.cancel_at IS NULL")
        }
        add("k", { "task.kb_id = \($0)" }, kbID.map(Parameter.text))
        add("t", { "task.type = \($0)" }, type.map(Parameter.text))
        add("b", { "task.batch_id = \($0)::uuid" }, batchID.map(Parameter.id))
        add(
            "c",
            {
                """
                EXISTS (SELECT FROM amity_task_data AS data
                    WHERE data.id = task.id AND errors -> -1 ->> 'code' = \($0))
                """
            },
            code.map(Parameter.text)
        )
        add(
            "a",
            { "task.id >= \($0)::uuid" },
            createdAfter.map { .id(TaskID(firstAt: $0)) }
        )
        add("o", { "task.id < \($0)::uuid" }, before.map(Parameter.id))
        return (name, sql.isEmpty ? "true" : sql.joined(separator: " AND "), parameters)
    }
}

extension TaskFilter {
    /// A page of what is meant, newest first. $1: the most rows.
    ///
    /// Plans do not know how few rows $1 is, and would rather join all data there is: LIMIT 1 has
    /// each row's read by its id. What runs is older than what is queued: OFFSET 0 keeps the
    /// planner from looking for it among the newest, where a million may be queued.
    ///
    /// - Parameters:
    ///   - columns: of `task` and `data`.
    ///   - join: what more they are taken from.
    package func page(
        named name: String,
        _ columns: String,
        join: String = ""
    ) -> (Statement, [Parameter]) {
        let (mark, sql, parameters) = conditions(from: 2)
        let matching = "SELECT * FROM amity_tasks AS task WHERE \(sql)"
        let isRunning = state == .processing
        let source = isRunning ? "SELECT * FROM (\(matching) OFFSET 0) AS task" : matching
        let statement = Statement(
            "\(name)_\(mark)",
            """
            SELECT \(columns)
            FROM (\(source) ORDER BY id DESC LIMIT $1::int) AS task
            LEFT JOIN LATERAL (
                SELECT errors FROM amity_task_data WHERE id = task.id LIMIT 1) AS data ON true
            \(join)
            ORDER BY task.id DESC
            """,
            timer: name
        )
        return (statement, parameters)
    }
}

extension TaskState {
    /// With what the partial indexes are made for.
    fileprivate var condition: String {
        switch self {
        case .waiting, .queued: "task.state = \(rawValue) AND task.state IN (\(TaskSQL.inPool))"
        case .failed, .cancelled:
            "task.state = \(rawValue) AND task.state IN (\(TaskSQL.retryable))"
        case .processing: "task.state = \(TaskSQL.processing)"
        // `IS TRUE` keeps the planner from the index of all that ended: the newest are near.
        case .completed: "(task.state = \(rawValue)) IS TRUE"
        case .scheduled, .blocked: "task.state = \(rawValue)"
        }
    }
}
