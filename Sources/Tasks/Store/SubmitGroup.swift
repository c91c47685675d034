import Digests
import Foundation
import JSON
import Postgres

/// What is known of a group of requests while it is made.
struct SubmitGroup {
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
    /// Why a request cannot be made.
    private var refused: [Int: SubmitOutcome] = [:]
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
        for number in requests.indices {
            switch requests[number].batch {
            case .none: break
            case .new: batchIDs[number] = left.popFirst()
            case .existing(let id): batchIDs[number] = id
            }
        }
    }

    var newBatches: Int { requests.count(where: \.isNewBatch) }

    // MARK: What must be there

    /// Tasks that are needed by new ones.
    var needed: [TaskID] {
        let needs = open.flatMap { entries[$0].task.needs }
        return Set(
            needs.compactMap { need in if case .task(let id) = need { id } else { nil } }
        ).sorted { $0.text < $1.text }
    }

    var batchesAddedTo: [TaskID] {
        let ids = requests.compactMap { request in
            if case .existing(let id) = request.batch { id } else { nil }
        }
        return Set(ids).sorted { $0.text < $1.text }
    }

    /// What is not there, or another kb's, refuses its request.
    mutating func hold(_ needs: [NeedsSQL.Held], batches: [NeedsSQL.Held]) {
        let needs = Dictionary(uniqueKeysWithValues: needs.map { ($0.id, $0) })
        let batches = Dictionary(uniqueKeysWithValues: batches.map { ($0.id, $0) })
        func isThere(_ held: NeedsSQL.Held?, for request: SubmitRequest) -> Bool {
            guard let held else { return false }
            return request.kbScope == nil || request.kbScope == held.kbID
        }
        for (number, request) in requests.enumerated() {
            if case .existing(let id) = request.batch {
                if !isThere(batches[id], for: request) {
                    refused[number] = .batchMissing
                } else if batches[id]?.isOpen == false {
                    refused[number] = .batchClosed
                }
            }
            if refused[number] != nil { continue }
            let missing = request.tasks.enumerated().flatMap { entry, task in
                task.needs.enumerated().compactMap { position, need -> (entry: Int, need: Int)? in
                    guard case .task(let id) = need else { return nil }
                    return isThere(needs[id], for: request) ? nil : (entry, position)
                }
            }
            if !missing.isEmpty { refused[number] = .needsMissing(missing) }
        }
        open.removeAll { refused[entries[$0].request] != nil }
    }

    /// Rows that go with the tasks, once these are made.
    func rest(of outcomes: [SubmitOutcome]) -> [(Statement, [Parameter])] {
        var rest: [(Statement, [Parameter])] = []
        let new = requests.indices.filter {
            requests[$0].isNewBatch && isNew($0, outcomes)
        }
        let kbs = kbs
        if !new.isEmpty { rest.append((SubmitSQL.insertBatches, batchRows(new, kbs))) }
        let added = batchesAddedTo.filter { kbs[$0] != nil }
        if !added.isEmpty {
            let names = Parameter.textArray(added.map { kbs[$0]?.only })
            rest.append((SubmitSQL.settleBatches, [.ids(added), names]))
        }
        let (twins, rows) = needRows
        if !twins.isEmpty { rest.append((NeedsSQL.hold, [.ids(twins)])) }
        if let rows { rest.append((NeedsSQL.insert, rows)) }
        if let answers = answers(outcomes) { rest.append((SubmitSQL.answer, answers)) }
        let refusedKeys = refused.keys.compactMap { requests[$0].scopedKey }
        if !refusedKeys.isEmpty {
            rest.append(
                (
                    SubmitSQL.forgetKeys,
                    [
                        .integerArray(refusedKeys.map(\.token)),
                        .textArray(refusedKeys.map(\.text)),
                    ]
                )
            )
        }
        return rest
    }

    /// Whether its answer is its own, and not an earlier request's with the same key.
    private func isNew(_ number: Int, _ outcomes: [SubmitOutcome]) -> Bool {
        guard case .accepted(let submission, _) = outcomes[number] else { return false }
        return submission.batchID == batchIDs[number]
    }

    /// Those of the tasks that each batch gets.
    private var kbs: [TaskID: Set<String?>] {
        var kbs: [TaskID: Set<String?>] = [:]
        for entry in entries where entry.made?.isDuplicate == false {
            guard let batch = batchIDs[entry.request] else { continue }
            kbs[batch, default: []].insert(entry.task.kbID)
        }
        return kbs
    }

    private func batchRows(_ new: [Int], _ kbs: [TaskID: Set<String?>]) -> [Parameter] {
        let kbs = new.map { number in
            requests[number].kbScope ?? batchIDs[number].flatMap { kbs[$0]?.only }
        }
        let openFor = new.map { number -> String? in
            guard case .new(let seconds?) = requests[number].batch else { return nil }
            return "\(seconds)"
        }
        return [
            .textArray(new.map { batchIDs[$0]?.text }), .textArray(kbs),
            .integerArray(new.map { requests[$0].token }), .textArray(openFor),
            .textArray(new.map { requests[$0].callback?.json }),
        ]
    }

    /// Who needs what; and of that, those that lived before: they were not held yet.
    private var needRows: (twins: [TaskID], rows: [Parameter]?) {
        var (tasks, needs, musts): ([TaskID], [TaskID], [Int]) = ([], [], [])
        var twins: Set<TaskID> = []
        let firsts = Dictionary(
            entries.enumerated().map { ($1.request, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        for entry in entries where !entry.task.needs.isEmpty {
            guard let made = entry.made, !made.isDuplicate else { continue }
            for need in entry.task.needs {
                switch need {
                case .task(let id): needs.append(id)
                case .entry(let number):
                    let other = entries[(firsts[entry.request] ?? 0) + number].made
                    guard let other else { continue }
                    if other.isDuplicate { twins.insert(other.id) }
                    needs.append(other.id)
                }
                tasks.append(made.id)
                musts.append(entry.task.runsOnFailedNeed ? 0 : 1)
            }
        }
        if tasks.isEmpty { return ([], nil) }
        return (
            twins.sorted { $0.text < $1.text },
            [.ids(tasks), .ids(needs), .integerArray(musts)]
        )
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

    private func answers(_ outcomes: [SubmitOutcome]) -> [Parameter]? {
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
            .integerArray(tasks.map { $0.needs.isEmpty ? 0 : 1 }),
            .textArray(tasks.map { $0.limitedBy }), .textArray(tasks.map { $0.callback?.json }),
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
        if let reason = refused[number] { return reason }
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

extension Set<String?> {
    fileprivate var only: String? { count == 1 ? first ?? nil : nil }
}
