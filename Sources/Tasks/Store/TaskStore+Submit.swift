import Postgres

extension TaskStore {
    /// Makes the tasks of requests that have come together, in one transaction. Where it fails for
    /// one of them, each is made alone.
    ///
    /// Without keys of idempotency or uniqueness it is one statement and one round trip.
    ///
    /// - Returns: one outcome for each request, in order.
    /// - Throws: where the database is away. Whether something was made is then not known.
    package func submit(
        _ requests: [SubmitRequest]
    ) throws(PostgresError) -> [Result<SubmitOutcome, PostgresError>] {
        do throws(PostgresError) {
            return try again { () throws(PostgresError) in
                try submitTogether(requests).map { .success($0) }
            }
        } catch {
            if error.endsSession || error.isOutage { throw error }
            if requests.count == 1 { return [.failure(error)] }
        }
        var outcomes: [Result<SubmitOutcome, PostgresError>] = []
        for request in requests {
            do throws(PostgresError) {
                outcomes.append(
                    .success(
                        try again { () throws(PostgresError) in
                            try submitTogether([request])[0]
                        }
                    )
                )
            } catch {
                if error.endsSession || error.isOutage { throw error }
                outcomes.append(.failure(error))
            }
        }
        return outcomes
    }

    private func submitTogether(
        _ requests: [SubmitRequest]
    ) throws(PostgresError) -> [SubmitOutcome] {
        let isPlain = requests.allSatisfy {
            $0.key == nil && $0.batch == .none
                && $0.tasks.allSatisfy { $0.uniqueKey == nil && $0.needs.isEmpty }
        }
        return try sessions.withSession { session throws(PostgresError) in
            var group = SubmitGroup(requests)
            if isPlain {
                let parameters = group.parameters(group.open)
                let rows = try session.flight([(SubmitSQL.submit, parameters)])[0]
                try group.take(rows.map(SubmitSQL.made), of: group.open)
                return try group.outcomes()
            }
            try begin(&group, on: &session)
            try Self.make(&group, in: &session)
            let outcomes = try group.outcomes()
            _ = try session.flight(group.rest(of: outcomes) + [(.commit, [])])
            return outcomes
        }
    }

    /// Makes the tasks of requests without idempotency keys and batches in a transaction of the
    /// caller's, who publishes them once it has committed.
    package static func submit(
        _ requests: [SubmitRequest],
        in session: inout Session
    ) throws(PostgresError) -> [SubmitOutcome] {
        var group = SubmitGroup(requests)
        try make(&group, in: &session)
        return try group.outcomes()
    }

    private static func make(
        _ group: inout SubmitGroup,
        in session: inout Session
    ) throws(PostgresError) {
        // A living twin may end between the insert that met it and the look at it.
        for _ in 0..<5 where !group.open.isEmpty {
            let open = group.open
            let rows = try session.flight([
                (SubmitSQL.submitAmongOthers, group.parameters(open)),
                (SubmitSQL.readTwins, group.twins(open)),
            ])
            try group.take(rows[0].map(SubmitSQL.made), of: open)
            group.take(try rows[1].map(SubmitSQL.twin), of: open)
        }
    }

    /// Takes the keys of a group, in an order that all processes have: of idempotency, of what it
    /// needs, of batches that it adds to. Those of uniqueness come with the tasks.
    private func begin(
        _ group: inout SubmitGroup,
        on session: inout Session
    ) throws(PostgresError) {
        let (keys, needs, batches) = (group.claim, group.needed, group.batchesAddedTo)
        let begun = try session.flight([
            (.begin, []), (SubmitSQL.newIDs, [.integer(group.newBatches)]),
            (SubmitSQL.claimKeys, keys), (SubmitSQL.readAnswers, keys.dropLast()),
            (NeedsSQL.hold, [.ids(needs)]), (SubmitSQL.holdBatches, [.ids(batches)]),
        ])
        group.batches(
            try begun[1].map { row throws(PostgresError) in TaskID(stored: try row.text() ?? "") }
        )
        group.learn(try begun[3].map(SubmitSQL.answered))
        group.hold(try begun[4].map(NeedsSQL.held), batches: try begun[5].map(NeedsSQL.held))
    }

    /// Sets rows to rest whose messages the broker has confirmed: only where `due_at` is still the
    /// lease that this process has set.
    package func published(_ confirmed: [Publication]) throws(PostgresError) {
        if confirmed.isEmpty { return }
        // In one order, so that two processes do not wait for each other in a circle.
        let sorted = confirmed.sorted { $0.id.text < $1.id.text }
        try count(
            of: RunSQL.published,
            [
                .ids(sorted.map(\.id)), .integerArray(sorted.map(\.run)),
                .textArray(sorted.map(\.lease)),
            ]
        )
    }
}
