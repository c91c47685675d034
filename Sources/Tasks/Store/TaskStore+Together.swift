import Postgres

/// A run that its handler has completed.
package struct TaskCompletion: Sendable {
    package var id: TaskID
    package var run: Int
    /// JSON of at most `TaskStore.largestResult` bytes; nil for none.
    package var result: String?
    /// As the claim has told.
    package var hasCallback: Bool

    package init(id: TaskID, run: Int, result: String?, hasCallback: Bool) {
        (self.id, self.run, self.result, self.hasCallback) = (id, run, result, hasCallback)
    }
}

extension TaskStore {
    /// Completes runs of one worker and claims others, in one transaction: the disk is waited for
    /// once.
    ///
    /// What is locked by another process, fenced off, outdated or suspect is left out: done by
    /// itself it tells which. So a transaction that holds many rows waits for none but dependents
    /// of what has ended.
    ///
    /// - Returns: what was done.
    /// - Throws: where all of it has to be done one by one; it may be done already.
    package func advance(
        _ completions: [TaskCompletion],
        claiming claims: [TaskClaim]
    ) throws(PostgresError) -> (completed: [MovedTask], claimed: [ClaimedTask]) {
        try sessions.withSession { session throws(PostgresError) in
            var flight: [(Statement, [Parameter])] = []
            if !completions.isEmpty {
                let ids = Parameter.ids(completions.map(\.id))
                let runs = Parameter.integerArray(completions.map(\.run))
                let results = Parameter.textArray(completions.map(\.result))
                flight.append((RunSQL.succeedTogether, [ids, runs, results]))
                let hasCallback = completions.contains(where: \.hasCallback)
                flight.append((hasCallback ? NeedsSQL.wakeAndCall : NeedsSQL.wake, [ids]))
            }
            if let worker = claims.first?.worker {
                let parameters: [Parameter] = [
                    .ids(claims.map(\.id)), .integerArray(claims.map(\.run)), .id(worker),
                    .textArray(claims.map { $0.token?.digest.hexadecimal }),
                ]
                flight.append((RunSQL.claimTogether, parameters))
            }
            let answers = try session.flight(flight)
            return (
                completions.isEmpty ? [] : try answers[0].map(MovedTask.init),
                claims.isEmpty ? [] : try answers[answers.count - 1].map(ClaimedTask.init)
            )
        }
    }
}
