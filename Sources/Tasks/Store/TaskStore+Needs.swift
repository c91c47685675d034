import Postgres

/// What a look at tasks that wait for others has done.
package struct NeedsLook: Sendable {
    package var toPublish: [Publication] = []
    /// A task that they needed has not succeeded, or is gone.
    package var cancelled: [MovedTask] = []
    /// How many were looked at.
    package var count = 0
}

extension TaskStore {
    /// Lets go of tasks that need nothing more, and cancels those whose needs have failed; those
    /// in turn may be needed by others, which are looked at next.
    ///
    /// - Parameter limit: of rows.
    package func lookAtDependents(atMost limit: Int) throws(PostgresError) -> NeedsLook {
        try again { () throws(PostgresError) in
            try sessions.withSession { session throws(PostgresError) in
                let locked = try session.flight([
                    (.begin, []), (NeedsSQL.lockDue, [.integer(limit)]),
                ])[1]
                let ids = try locked.map { row throws(PostgresError) in try row.text() ?? "" }
                var look = NeedsLook(count: ids.count)
                if ids.isEmpty {
                    _ = try session.flight([(.commit, [])])
                    return look
                }
                let decided = try session.flight([(NeedsSQL.decide, [.textArray(ids)])])[0]
                for row in try decided.map(SchedulerSQL.leased) {
                    switch row.state {
                    case .queued: look.toPublish.append(row.publication)
                    case .cancelled: look.cancelled.append(row.moved)
                    case _: break
                    }
                }
                _ = try session.flight(Self.waking(look.cancelled) + [(.commit, [])])
                return look
            }
        }
    }

    /// Wakes what waits though it need not.
    ///
    /// - Returns: how many: 0, as long as every end has woken its dependents.
    package func findLostWakes(atMost limit: Int) throws(PostgresError) -> Int {
        try count(of: NeedsSQL.findLost, [.integer(limit)])
    }

    /// What a task needs, oldest first.
    package func needs(
        of id: TaskID,
        kbID: String? = nil
    ) throws(PostgresError) -> [TaskNeed] {
        try rows(of: NeedsSQL.of, [.id(id), .optional(kbID)]) { row throws(PostgresError) in
            TaskNeed(
                id: TaskID(stored: try row.text() ?? ""),
                state: try row.integer().flatMap(TaskState.init(rawValue:)),
                mustSucceed: try row.bool() ?? true
            )
        }
    }

    // MARK: Ends

    /// Moves many tasks in one transaction, with all that follows the end of some.
    func move(
        by statement: Statement,
        _ parameters: [Parameter]
    ) throws(PostgresError) -> [MovedTask] {
        try again { () throws(PostgresError) in
            try sessions.withSession { session throws(PostgresError) in
                let rows = try session.flight([(.begin, []), (statement, parameters)])[1]
                let moved = try rows.map(MovedTask.init)
                _ = try session.flight(Self.waking(moved) + [(.commit, [])])
                return moved
            }
        }
    }

    /// Moves one task; where it has ended, wakes its dependents and makes its callback.
    func move(
        _ id: TaskID,
        by statement: Statement,
        _ parameters: [Parameter],
        hasCallback: Bool = true
    ) throws(PostgresError) -> MovedTask? {
        try again { () throws(PostgresError) in
            try sessions.withSession { session throws(PostgresError) in
                // Whether it has is for the statement to see: a round trip more would cost.
                try session.flight([(statement, parameters), Self.waking(id, hasCallback)])[0]
                    .map(MovedTask.init).first
            }
        }
    }

    static func waking(_ id: TaskID, _ hasCallback: Bool) -> (Statement, [Parameter]) {
        (hasCallback ? NeedsSQL.wakeAndCall : NeedsSQL.wake, [.ids([id])])
    }

    private static func waking(_ moved: [MovedTask]) -> [(Statement, [Parameter])] {
        let ended = moved.filter(\.state.isFinal).map(\.id)
        return ended.isEmpty ? [] : [(NeedsSQL.wakeAndCall, [.ids(ended)])]
    }

    /// An end that wakes dependents and a look that cancels some of them may wait for each other in
    /// a circle; PostgreSQL ends one.
    func again<Value>(
        _ body: () throws(PostgresError) -> Value
    ) throws(PostgresError) -> Value {
        for _ in 0..<3 {
            do throws(PostgresError) {
                return try body()
            } catch {
                if error.kind != .conflict || error.endsSession { throw error }
            }
        }
        return try body()
    }
}

/// A task that another one waits for.
package struct TaskNeed: Sendable, Equatable {
    package var id: TaskID
    /// nil: it is gone.
    package var state: TaskState?
    package var mustSucceed: Bool
}
