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
    /// - Returns: whether an operator has asked the worker to drain.
    @discardableResult
    package func renewWorker(
        _ worker: TaskID,
        facts: String? = nil
    ) throws(PostgresError) -> Bool {
        let renewal = Self.lease(of: worker) + [.double(Self.workerLease), .optional(facts)]
        return try sessions.withSession { session throws(PostgresError) in
            try session.flight([
                (WorkerSQL.renew, renewal),
                (WorkerSQL.isDrainAsked, [.text(Self.drain(of: worker))]),
            ])[1].map { row throws(PostgresError) in try row.bool() ?? false }.first ?? false
        }
    }

    /// Asks a worker to stop as it does for SIGTERM, within a second or two.
    ///
    /// - Returns: whether there is such a worker.
    package func askToDrain(_ worker: TaskID) throws(PostgresError) -> Bool {
        let (request, lease) = (Self.drain(of: worker), Self.lease(of: worker))
        return try count(of: WorkerSQL.askToDrain, [.text(request), lease[1], lease[0]]) > 0
    }

    private static func lease(of worker: TaskID) -> [Parameter] {
        [.text("worker \(worker.text)"), .id(worker)]
    }

    private static func drain(of worker: TaskID) -> String { "drain \(worker.text)" }

    /// Ends it: for a worker that runs nothing any more.
    package func releaseWorker(_ worker: TaskID) throws(PostgresError) {
        try count(of: WorkerSQL.release, Self.lease(of: worker))
        try count(of: WorkerSQL.release, [.text(Self.drain(of: worker)), .id(worker)])
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
