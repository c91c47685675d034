import Digests
import Foundation
import JSON
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
            return try submitTogether(requests).map { .success($0) }
        } catch {
            if error.endsSession || error.isOutage { throw error }
            if requests.count == 1 { return [.failure(error)] }
        }
        var outcomes: [Result<SubmitOutcome, PostgresError>] = []
        for request in requests {
            do throws(PostgresError) {
                outcomes.append(.success(try submitTogether([request])[0]))
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
            $0.key == nil && !$0.isBatch && $0.tasks.allSatisfy { $0.uniqueKey == nil }
        }
        return try sessions.withSession { session throws(PostgresError) in
            var group = SubmitGroup(requests)
            if isPlain {
                let parameters = group.parameters(group.open)
                let rows = try session.flight([(SubmitSQL.submit, parameters)])[0]
                try group.take(rows.map(SubmitSQL.made), of: group.open)
                return try group.outcomes()
            }
            var flight: [(Statement, [Parameter])] = [(.begin, [])]
            flight.append((SubmitSQL.newIDs, [.integer(requests.count { $0.isBatch })]))
            if !group.keys.isEmpty {
                flight.append((SubmitSQL.claimKeys, group.claim))
                flight.append((SubmitSQL.readAnswers, group.claim.dropLast()))
            }
            let begun = try session.flight(flight)
            group.batches(
                try begun[1].map { row throws(PostgresError) in
                    TaskID(stored: try row.text() ?? "")
                }
            )
            if let answers = begun.last, begun.count > 2 {
                group.learn(try answers.map(SubmitSQL.answered))
            }
            try Self.make(&group, in: &session)
            let outcomes = try group.outcomes()
            let answers = group.answers(outcomes)
            _ = try session.flight(
                (answers.map { [(SubmitSQL.answer, $0)] } ?? []) + [(.commit, [])]
            )
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

/// What is known of a group of requests while it is made.
private struct SubmitGroup {
    private struct Entry {
        var request: Int
        var task: NewTask
        var made: SubmittedTask?
    }

    private let requests: [SubmitRequest]
    private var entries: [Entry]
    private var publications: [[Publication]]
    private var batchIDs: [TaskID?]
    /// For each key, the first request that has it.
    private(set) var keys: [SubmitRequest.Key: Int] = [:]
    private var answered: [SubmitRequest.Key: SubmitSQL.Answered] = [:]
    /// Entries that are still to be made.
    private(set) var open: [Int]

    init(_ requests: [SubmitRequest]) {
        self.requests = requests
        entries = requests.enumerated().flatMap { number, request in
            request.tasks.map { Entry(request: number, task: $0) }
        }
        publications = requests.map { _ in [] }
        batchIDs = requests.map { _ in nil }
        for (number, request) in requests.enumerated() {
            if let key = request.scopedKey, keys[key] == nil { keys[key] = number }
        }
        open = []
        open = entries.indices.filter { isFirst(entries[$0].request) }
    }

    /// Whether no request before it has its key.
    private func isFirst(_ request: Int) -> Bool {
        requests[request].scopedKey.map { keys[$0] == request } ?? true
    }

    mutating func batches(_ ids: [TaskID]) {
        var left = ids[...]
        for number in requests.indices where requests[number].isBatch {
            batchIDs[number] = left.popFirst()
        }
    }

    // MARK: Keys

    var claim: [Parameter] {
        let sorted = keys.sorted { ($0.key.token, $0.key.text) < ($1.key.token, $1.key.text) }
        return [
            .integerArray(sorted.map(\.key.token)), .textArray(sorted.map(\.key.text)),
            .textArray(sorted.map { requests[$0.value].digest.hexadecimal }),
        ]
    }

    /// What has an answer, or the digest of another body, is not made.
    mutating func learn(_ rows: [SubmitSQL.Answered]) {
        for row in rows { answered[row.key] = row }
        open.removeAll { entry in
            let request = requests[entries[entry].request]
            guard let key = request.scopedKey, let found = answered[key] else { return false }
            return found.answer != nil || found.digest != request.digest.hexadecimal
        }
    }

    func answers(_ outcomes: [SubmitOutcome]) -> [Parameter]? {
        let ours = keys.filter { answered[$0.key]?.answer == nil }
        var (tokens, texts, answers): ([Int], [String], [String]) = ([], [], [])
        for (key, number) in ours {
            guard case .accepted(let submission, _) = outcomes[number] else { continue }
            tokens.append(key.token)
            texts.append(key.text)
            answers.append(JSONEncoder.stored.certainText(submission))
        }
        if tokens.isEmpty { return nil }
        return [.integerArray(tokens), .textArray(texts), .textArray(answers)]
    }

    // MARK: Tasks

    func parameters(_ open: [Int]) -> [Parameter] {
        let tasks = open.map { entries[$0].task }
        let requests = open.map { self.requests[entries[$0].request] }
        return [
            .textArray(tasks.map(\.type)), .textArray(tasks.map(\.pool)),
            .integerArray(tasks.map(\.priority.rawValue)),
            .integerArray(tasks.map { $0.retryLimit + 1 }), .integerArray(tasks.map(\.timeout)),
            .textArray(tasks.map(\.payload)), .textArray(tasks.map(\.tags)),
            .textArray(tasks.map { $0.delay.map { "\($0)" } }), .textArray(tasks.map(\.runAt)),
            .textArray(tasks.map(\.deadline)), .textArray(tasks.map(\.kbID)),
            .textArray(tasks.map(\.uniqueKey)), .integerArray(requests.map(\.token)),
            .textArray(open.map { batchIDs[entries[$0].request]?.text }),
        ]
    }

    func twins(_ open: [Int]) -> [Parameter] {
        let unique = open.indices.filter { entries[open[$0]].task.uniqueKey != nil }
        let tasks = unique.map { entries[open[$0]].task }
        return [
            .textArray(tasks.map(\.kbID)), .textArray(tasks.map(\.type)),
            .textArray(tasks.map(\.uniqueKey)), .integerArray(unique.map { $0 + 1 }),
        ]
    }

    mutating func take(_ rows: [SubmitSQL.Made], of open: [Int]) {
        for row in rows {
            guard let id = row.id, let state = row.state else { continue }
            let entry = open[row.number - 1]
            entries[entry].made = SubmittedTask(
                id: id,
                status: state.name,
                createdAt: row.createdAt,
                isDuplicate: false
            )
            if state == .queued, let lease = row.lease {
                let task = entries[entry].task
                publications[entries[entry].request].append(
                    Publication(
                        id: id,
                        run: 1,
                        type: task.type,
                        pool: task.pool,
                        priority: task.priority,
                        lease: lease
                    )
                )
            }
        }
        self.open.removeAll { entries[$0].made != nil }
    }

    mutating func take(_ twins: [(number: Int, task: SubmittedTask)], of open: [Int]) {
        for (number, task) in twins where entries[open[number - 1]].made == nil {
            entries[open[number - 1]].made = task
        }
        self.open.removeAll { entries[$0].made != nil }
    }

    // MARK: Outcomes

    func outcomes() throws(PostgresError) -> [SubmitOutcome] {
        var tasks: [[SubmittedTask]] = requests.map { _ in [] }
        for entry in entries { if let made = entry.made { tasks[entry.request].append(made) } }
        var outcomes: [SubmitOutcome] = []
        for number in requests.indices {
            outcomes.append(try outcome(number, tasks, outcomes))
        }
        return outcomes
    }

    private func outcome(
        _ number: Int,
        _ tasks: [[SubmittedTask]],
        _ earlier: [SubmitOutcome]
    ) throws(PostgresError) -> SubmitOutcome {
        let request = requests[number]
        if let key = request.scopedKey, let found = answered[key] {
            if found.digest != request.digest.hexadecimal { return .keyConflict }
            if let answer = found.answer {
                return .accepted(try Self.decoded(answer), toPublish: [])
            }
            if let first = keys[key], first != number,
                case .accepted(let submission, _) = earlier[first]
            {
                return .accepted(submission, toPublish: [])
            }
        }
        if tasks[number].count < request.tasks.count { throw Self.raced }
        return .accepted(
            Submission(batchID: batchIDs[number], tasks: tasks[number]),
            toPublish: publications[number]
        )
    }

    private static func decoded(_ answer: String) throws(PostgresError) -> Submission {
        do {
            return try JSONDecoder().decode(Submission.self, from: Data(answer.utf8))
        } catch {
            throw PostgresError(
                sqlState: "42804",
                operation: SubmitSQL.readAnswers.name,
                message: "an answer is not as this version stores it"
            )
        }
    }

    /// Its twins began and ended as often as it tried.
    private static let raced = PostgresError(
        sqlState: "40001",
        operation: SubmitSQL.submit.name,
        message: ""
    )
}
