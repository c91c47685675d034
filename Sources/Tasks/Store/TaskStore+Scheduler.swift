import Postgres

/// What a scan for due rows has taken.
package struct DueScan: Sendable {
    package var toPublish: [Publication] = []
    /// How late each row was taken, in seconds.
    package var lateness: [Double] = []
    /// Whether a priority had more than its budget.
    package var hasMore = false
}

/// How many tasks of a pool and priority are in a state.
package struct TaskQueueDepth: Sendable, Equatable {
    package var pool: String
    package var priority: Priority
    package var state: TaskState
    package var count: Int
    /// Whose messages are on the broker, as far as is known.
    package var atRest: Int
    /// Since the oldest was made, in seconds.
    package var oldestAge: Double
}

extension TaskStore {
    /// Leases what is due, to be published.
    ///
    /// - Parameters:
    ///   - floor: kept from scan to scan.
    ///   - budgets: the most rows for each priority.
    ///   - pools: left out, for their queues take no messages now.
    ///   - now: monotonic, in seconds.
    package func leaseDue(
        _ floor: inout ScanFloor,
        budgets: [Int],
        leavingOut pools: [String] = [],
        at now: Double
    ) throws(PostgresError) -> DueScan {
        let floors = floor.next(at: now)
        let parameters: [Parameter] = [
            .integerArray(Priority.allCases.map(\.rawValue)), .integerArray(budgets),
            .textArray(floors), .textArray(pools),
        ]
        let (limit, leased) = try sessions.withSession {
            session throws(PostgresError) -> (String, [SchedulerSQL.Leased]) in
            let rows = try session.flight([
                (SchedulerSQL.clock, []), (SchedulerSQL.leaseDue, parameters),
            ])
            let clock = try rows[0].first { row throws(PostgresError) in try row.text() }
            return (clock ?? ScanFloor.none, try rows[1].map(SchedulerSQL.leased))
        }
        var scan = DueScan(lateness: leased.map(\.lateness))
        var counts = [Int](repeating: 0, count: budgets.count)
        var last = [String?](repeating: nil, count: budgets.count)
        for row in leased {
            let priority = row.publication.priority.rawValue
            counts[priority] += 1
            last[priority] = max(last[priority] ?? "", row.wasDue)
            if row.state == .queued { scan.toPublish.append(row.publication) }
        }
        for index in budgets.indices {
            if counts[index] < budgets[index] {
                last[index] = nil
            } else {
                // None was taken of a budget of 0.
                last[index] = last[index] ?? floors[index]
                scan.hasMore = true
            }
        }
        floor.scanned(until: limit, lastDue: last)
        return scan
    }

    /// Fails what is due and past its deadline, whatever its state but processing.
    package func expire(atMost limit: Int) throws(PostgresError) -> [MovedTask] {
        try move(by: SchedulerSQL.expire, [.integer(limit)])
    }

    /// Ends runs that a service should have reported on: an attempt each.
    package func timeOut(atMost limit: Int) throws(PostgresError) -> [MovedTask] {
        try move(by: SchedulerSQL.timeOut, [.integer(limit)])
    }

    /// Gives back the runs of workers that have fallen silent. Only for a leader whose own renewals
    /// have succeeded for 15 s: else it is the database that was silent.
    package func giveBackLost() throws(PostgresError) -> [MovedTask] {
        try move(by: SchedulerSQL.giveBackLost, [])
    }

    package func depths() throws(PostgresError) -> [TaskQueueDepth] {
        try rows(of: SchedulerSQL.depths, []) { row throws(PostgresError) in
            TaskQueueDepth(
                pool: try row.text() ?? "",
                priority: try row.integer().flatMap(Priority.init(rawValue:)) ?? .normal,
                state: try row.integer().flatMap(TaskState.init(rawValue:)) ?? .queued,
                count: try row.integer() ?? 0,
                atRest: try row.integer() ?? 0,
                oldestAge: try row.double() ?? 0
            )
        }
    }

    /// Leases the oldest tasks at rest of a queue that has fewer messages than tasks. Publishing
    /// one once more does no harm.
    package func leaseMissing(
        pool: String,
        priority: Priority,
        count: Int
    ) throws(PostgresError) -> [Publication] {
        let parameters: [Parameter] = [
            .text(pool), .integer(priority.rawValue), .integer(count),
        ]
        return try rows(of: SchedulerSQL.leaseMissing, parameters, SchedulerSQL.leased)
            .map(\.publication)
    }

    /// Deletes a slice of what ended long ago.
    ///
    /// - Returns: how many tasks went.
    package func forget(
        olderThan seconds: Double,
        atMost limit: Int
    ) throws(PostgresError) -> Int {
        try sessions.withSession { session throws(PostgresError) in
            let locked = try session.flight([
                (.begin, []), (SchedulerSQL.lockOld, [.double(seconds), .integer(limit)]),
            ])[1]
            let ids = try locked.map { row throws(PostgresError) in try row.text() ?? "" }
            let gone = try session.flight([
                (SchedulerSQL.forget, [.textArray(ids)]), (.commit, []),
            ])[0]
            return gone.count
        }
    }

    /// Deletes a slice of answers that no client asks for any more.
    package func forgetRequests(atMost limit: Int) throws(PostgresError) -> Int {
        try count(of: SchedulerSQL.forgetRequests, [.integer(limit)])
    }
}
