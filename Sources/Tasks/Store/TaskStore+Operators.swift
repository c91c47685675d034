import Postgres

/// What came of a wish to move one task.
package enum MoveOutcome: Sendable, Equatable {
    case moved(MovedTask)
    /// It is as it was: its state does not let it, or there was nothing to change.
    case unchanged(MovedTask)
    /// A living task has its unique key.
    case twinLives
    case missing
}

extension TaskStore {
    /// Most tasks that one filter moves at once.
    package static let mostAtOnce = 1_000

    /// Ends a task, or asks the worker that runs it to stop.
    package func cancel(
        _ id: TaskID,
        kbID: String? = nil
    ) throws(PostgresError) -> MoveOutcome {
        let key: [Parameter] = [.id(id), .optional(kbID)]
        return try outcome(of: try move(id, by: OperatorSQL.cancel, key), key)
    }

    /// The same for all that a filter names, at most `mostAtOnce`, oldest first.
    ///
    /// - Parameter isDry: changes nothing.
    package func cancelAll(
        _ filter: TaskFilter,
        isDry: Bool
    ) throws(PostgresError) -> [MovedTask] {
        let most: [Parameter] = [.integer(Self.mostAtOnce)]
        if isDry {
            let (statement, parameters) = OperatorSQL.wouldCancel(filter)
            return try rows(of: statement, most + parameters, MovedTask.init)
        }
        let (statement, parameters) = OperatorSQL.cancelAll(filter)
        return try move(by: statement, most + parameters)
    }

    /// Begins a failed or cancelled task anew.
    package func retry(_ id: TaskID, kbID: String? = nil) throws(PostgresError) -> MoveOutcome {
        do throws(PostgresError) {
            return try move(OperatorSQL.retry, id, kbID)
        } catch {
            if error.sqlState == "23505" { return .twinLives }
            throw error
        }
    }

    /// The same for all that a filter names, at most `mostAtOnce`, one by one: a task whose twin
    /// lives does not keep the others.
    ///
    /// - Returns: what was moved.
    package func retryAll(_ filter: TaskFilter) throws(PostgresError) -> [MovedTask] {
        var moved: [MovedTask] = []
        for task in try retryable(filter) {
            if case .moved(let task) = try retry(task.id) { moved.append(task) }
        }
        return moved
    }

    /// What `retryAll` would try.
    package func retryable(_ filter: TaskFilter) throws(PostgresError) -> [MovedTask] {
        let (statement, parameters) = OperatorSQL.retryable(filter)
        return try rows(of: statement, [.integer(Self.mostAtOnce)] + parameters, MovedTask.init)
    }

    /// Changes the priority of what does not run yet.
    package func setPriority(
        _ priority: Priority,
        of id: TaskID,
        kbID: String? = nil
    ) throws(PostgresError) -> MoveOutcome {
        try move(OperatorSQL.reprioritise, id, kbID, [.integer(priority.rawValue)])
    }

    private func move(
        _ statement: Statement,
        _ id: TaskID,
        _ kbID: String?,
        _ more: [Parameter] = []
    ) throws(PostgresError) -> MoveOutcome {
        let key: [Parameter] = [.id(id), .optional(kbID)]
        return try outcome(of: rows(of: statement, key + more, MovedTask.init).first, key)
    }

    private func outcome(
        of moved: MovedTask?,
        _ key: [Parameter]
    ) throws(PostgresError) -> MoveOutcome {
        if let moved { return .moved(moved) }
        let found = try rows(of: OperatorSQL.look, key, MovedTask.init).first
        return found.map(MoveOutcome.unchanged) ?? .missing
    }
}
