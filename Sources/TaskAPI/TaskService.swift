import Concurrency
import CoreMetrics
import Documents
import HTTPCalling
import HTTPServing
import Locks
import Logging
import Metering
import Postgres
import Schedules
import TaskTypes
import Tasks

/// Takes tasks, and answers what becomes of them.
///
/// Requests for new tasks that come while a group is being stored go together in the next one. A
/// request is answered when its rows are committed, whatever becomes of their messages.
package final class TaskService: Sendable {
    private struct Pending: Sendable {
        var request: SubmitRequest
        var answer: CheckedContinuation<Result<SubmitOutcome, Problem>, Never>
    }

    /// Threads that store groups, with a session each. Chosen, as for conversations: one waits for
    /// the disk while the other one's group is made.
    private static let lanes = 2
    /// Chosen: larger groups store no more in a second.
    private static let mostInAGroup = 50

    private let queue = GroupQueue<Pending>(mostWaiting: 2000)
    private let ended = MonotonicSemaphore(value: 0)
    private let outlet: any TaskOutlet
    private let targets: TargetHosts
    private let groupSize = Metric.taskGroup.recorder()
    private let types = Remembered<[String: TaskType]>(for: .milliseconds(1500))
    private let medians = Remembered<[String: Double]>(for: .seconds(30))
    private let depths = Remembered<Void>(for: .seconds(5))
    private let gauges = Locked<[String: Gauge]>([:])
    let call: StoreCalls
    let watch: TaskWatch
    let streams: ProgressStreams
    let documents: DocumentStore
    let schedules: ScheduleStore
    let locks: LockStore

    /// - Parameters:
    ///   - outlet: told what has been committed and is to be published.
    ///   - targets: that callbacks may go to, besides public hosts.
    ///   - note: told what the database did: nil where it answered.
    package init(
        database: ConnectionTarget,
        outlet: any TaskOutlet,
        targets: TargetHosts = TargetHosts(),
        logger: Logger,
        note: @escaping @Sendable (PostgresError?) -> Void
    ) {
        let sessions = SessionPool(
            target: database,
            limit: Self.lanes + StoreCalls.mostAtOnce,
            applicationName: "amity tasks",
            statementTimeout: .seconds(5),
            // Chosen: clients wait for ten seconds, and PgBouncer lets a session wait for a
            // database that is away.
            patience: .seconds(8)
        )
        self.outlet = outlet
        self.targets = targets
        call = StoreCalls(store: TaskStore(sessions: sessions), note: note, logger: logger)
        watch = TaskWatch(call: call)
        streams = ProgressStreams(call: call)
        documents = DocumentStore(sessions: sessions)
        schedules = ScheduleStore(sessions: sessions)
        locks = LockStore(sessions: sessions)
    }

    /// Begins to take requests. Tables that are missing keep it from nothing but its work.
    package func start() {
        queue.open()
        for lane in 0..<Self.lanes {
            startThread(name: "amity-submit-\(lane)", stackBytes: 512 << 10) {
                while let group = self.queue.next(atMost: Self.mostInAGroup) {
                    // A batch has many rows of its own.
                    self.store(group.filter { $0.request.batch == .none })
                    for one in group where one.request.batch != .none { self.store([one]) }
                }
                self.ended.signal()
            }
        }
    }

    /// Takes no more requests, and answers those in hand. Blocks the calling thread. It does not
    /// begin again.
    package func stop() {
        queue.close()
        for _ in 0..<Self.lanes { ended.wait() }
    }

    /// Tells its callers apart.
    package func callers(_ access: AccessControl) -> Callers {
        Callers(access: access, call: call)
    }

    // MARK: New tasks

    /// - Parameter pointer: where its tasks stand in the body, for errors; nil: it is one task.
    func submit(
        _ request: SubmitRequest,
        at pointer: String? = nil
    ) async throws(Problem) -> Submission {
        let result = await withCheckedContinuation { answer in
            if !queue.add(Pending(request: request, answer: answer)) {
                let full = Problem(
                    .serviceUnavailable,
                    code: "overloaded",
                    "too many tasks wait to be stored; try again",
                    retryAfter: 1
                )
                answer.resume(returning: .failure(full))
            }
        }
        switch try result.get() {
        case .accepted(let submission, _): return submission
        case .needsMissing(let missing):
            throw Problem(
                .unprocessableContent,
                code: "invalid",
                "members are missing or wrong",
                defects: missing.prefix(100).map { entry, need in
                    let place = pointer.map { "\($0)/\(entry)" } ?? ""
                    return .init(at: "\(place)/needs/\(need)", "names no task")
                }
            )
        case .batchMissing: throw Problem.noBatch
        case .batchClosed:
            throw Problem(.conflict, code: "batch_closed", "the batch takes no more tasks")
        case .keyConflict:
            throw Problem(
                .unprocessableContent,
                code: "idempotency_key_reused",
                "the Idempotency-Key was sent with another request"
            )
        }
    }

    /// On a lane's thread.
    private func store(_ group: [Pending]) {
        if group.isEmpty { return }
        groupSize.record(group.count)
        let begin = ContinuousClock.now
        do throws(PostgresError) {
            let outcomes = try call.store.submit(group.map(\.request))
            call.note(nil)
            for (pending, outcome) in zip(group, outcomes) {
                pending.answer.resume(returning: outcome.mapError(call.problem))
            }
            let publications = outcomes.flatMap { outcome -> [Publication] in
                guard case .success(.accepted(_, let publications)) = outcome else { return [] }
                return publications
            }
            if !publications.isEmpty { outlet.publish(publications, leasedAt: begin) }
        } catch {
            let problem = call.problem(error)
            for pending in group { pending.answer.resume(returning: .failure(problem)) }
        }
    }

    // MARK: What is known

    /// By name.
    func knownTypes() async throws -> [String: TaskType] {
        try await types.get {
            let rows = try await call { store throws(PostgresError) in try store.types() }
            let types = TaskType.all(applying: rows)
            return Dictionary(uniqueKeysWithValues: types.map { ($0.name, $0) })
        }
    }

    func rules() async throws -> TaskBody.Rules {
        .init(types: try await knownTypes(), targets: targets)
    }

    /// Seconds that a run of a type takes; nil where none has completed lately.
    func medianDuration(of type: String) async throws -> Double? {
        try await medians.get {
            try await call { store throws(PostgresError) in try store.medianDurations() }
        }[type]
    }

    /// Before metrics are read.
    package func refreshGauges() async {
        do {
            try await depths.get {
                let depths = try await call { store throws(PostgresError) in try store.depths() }
                let pools = Set(try await knownTypes().values.map(\.pool))
                show(depths, pools.union(depths.map(\.pool)))
            }
        } catch {
            // The call has told of the database; figures stay as they were.
        }
    }

    private func show(_ depths: [TaskQueueDepth], _ pools: Set<String>) {
        var sizes: [String: Int] = [:]
        for queue in pools.flatMap(TaskQueue.all) { sizes[queue.label] = 0 }
        for depth in depths where depth.state != .processing {
            let queue = TaskQueue(pool: depth.pool, priority: depth.priority)
            sizes[queue.label, default: 0] += depth.count
        }
        gauges.withLock { gauges in
            // A pool that no type names any more is empty.
            for label in gauges.keys where sizes[label] == nil { sizes[label] = 0 }
            for (label, size) in sizes {
                if gauges[label] == nil { gauges[label] = Metric.taskQueueSize.gauge(label) }
                gauges[label]?.record(size)
            }
        }
    }
}

extension TaskQueue {
    var label: String { "\(pool).\(priority.name)" }
}
