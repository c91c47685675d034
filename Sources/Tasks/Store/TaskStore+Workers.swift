import Postgres

/// A run that the database counts as this worker's.
package struct OwnRun: Sendable, Equatable {
    package var id: TaskID
    package var run: Int
    package var isCancelAsked: Bool
}

/// What a handler has told since the last second.
package struct RunProgress: Sendable {
    package var id: TaskID
    package var run: Int
    package var percent: Int?
    package var note: String?

    package init(id: TaskID, run: Int, percent: Int?, note: String?) {
        self.id = id
        self.run = run
        self.percent = percent
        self.note = note
    }
}

extension TaskStore {
    /// A worker that has not renewed its lease for so many seconds counts as lost.
    package static let workerLease = 15.0
    /// The scheduler's.
    package static let leaderLease = 5.0

    /// Takes or renews the lease without which a worker's runs are given to others.
    ///
    /// - Parameter facts: JSON for operators, and for `unclaimed`; holds no user's data.
    package func renewWorker(
        _ worker: TaskID,
        facts: String? = nil
    ) throws(PostgresError) {
        try count(of: WorkerSQL.renew, Self.lease(of: worker) + [.optional(facts)])
    }

    private static func lease(of worker: TaskID) -> [Parameter] {
        [.text("worker \(worker.text)"), .id(worker), .double(workerLease)]
    }

    /// Ends it: for a worker that runs nothing any more.
    package func releaseWorker(_ worker: TaskID) throws(PostgresError) {
        try count(of: WorkerSQL.release, Array(Self.lease(of: worker).prefix(2)))
    }

    /// Takes or renews the leadership of the scheduler.
    ///
    /// - Returns: whether `holder` leads.
    package func renewLeader(_ holder: TaskID) throws(PostgresError) -> Bool {
        let parameters: [Parameter] = [
            .text("scheduler"), .id(holder), .double(Self.leaderLease), .null,
        ]
        return try count(of: WorkerSQL.renew, parameters) > 0
    }

    /// Another process may lead at once.
    package func releaseLeader(_ holder: TaskID) throws(PostgresError) {
        try count(of: WorkerSQL.release, [.text("scheduler"), .id(holder)])
    }

    /// Deliveries that living workers hold and have not claimed, by the name of the queue, as the
    /// workers have written them into the facts of their leases: `{"unclaimed": {"<queue>": 3}}`.
    package func unclaimed() throws(PostgresError) -> [String: Int] {
        let counts = try rows(of: WorkerSQL.unclaimed, []) {
            row throws(PostgresError) -> (String, Int) in
            (try row.text() ?? "", try row.integer() ?? 0)
        }
        return Dictionary(counts, uniquingKeysWith: +)
    }

    package func ownRuns(of worker: TaskID) throws(PostgresError) -> [OwnRun] {
        try rows(of: WorkerSQL.ownRuns, [.id(worker)]) { row throws(PostgresError) in
            OwnRun(
                id: TaskID(stored: try row.text() ?? ""),
                run: try row.integer() ?? 0,
                isCancelAsked: try row.bool() ?? false
            )
        }
    }

    /// - Returns: the tasks whose progress was written; the others are tried again, or are not this
    ///   worker's any more.
    package func write(_ progress: [RunProgress]) throws(PostgresError) -> Set<TaskID> {
        if progress.isEmpty { return [] }
        let parameters: [Parameter] = [
            .ids(progress.map(\.id)), .integerArray(progress.map(\.run)),
            .textArray(progress.map { $0.percent.map(String.init) }),
            .textArray(progress.map { $0.note.map(Self.storable) }),
        ]
        let written = try rows(of: WorkerSQL.progress, parameters) { row throws(PostgresError) in
            TaskID(stored: try row.text() ?? "")
        }
        return Set(written)
    }

    package func forgetLeases() throws(PostgresError) {
        try count(of: WorkerSQL.forgetLeases, [])
    }
}
