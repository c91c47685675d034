import Concurrency
import Logging
import Messaging
import Postgres
import TaskTypes
import Tasks
import WorkerHealth
import WorkerRuntime

/// The path of one task through a thread of the worker: claim, run, finish.
final class TaskRunner: Sendable {
    /// As long as a suspect waits at most for the ends of others. Chosen: a write that takes longer
    /// is held up by something else.
    private static let longestEnd = Duration.seconds(5)

    let worker: TaskID
    let store: TaskStore
    let runs = RunTable()
    private let handlers: HandlerSet
    private let types: TypeDirectory
    private let steps: RunSteps
    private let health: TaskHealth
    private let drain: DrainSignal
    private let metrics: TaskMetrics
    private let repeated: RepeatedEvents
    /// What operators have paused, as it was a moment ago.
    private let pauses = Locked<Set<PauseSubject>>([])

    init(
        worker: TaskID,
        threads: Int,
        store: TaskStore,
        handlers: HandlerSet,
        outlet: any TaskOutlet,
        health: TaskHealth,
        drain: DrainSignal,
        metrics: TaskMetrics,
        logger: Logger
    ) {
        self.worker = worker
        self.store = store
        self.handlers = handlers.complete(with: store)
        types = TypeDirectory(store)
        self.health = health
        self.drain = drain
        self.metrics = metrics
        let repeated = RepeatedEvents(logger: logger)
        self.repeated = repeated
        let ends = EndWriter(
            worker: worker,
            store: store,
            outlet: outlet,
            health: health,
            drain: drain,
            metrics: metrics,
            repeated: repeated
        )
        steps = RunSteps(store: store, runs: runs, ends: ends, threads: threads)
    }

    /// Nothing may run any more.
    func close() {
        repeated.flush()
        steps.close()
    }

    /// Writes what a thread has still to write, which finds nothing more to do.
    func settle(_ slot: ThreadPool.Slot) { steps.settle(slot) }

    func paused(_ subjects: Set<PauseSubject>) { pauses.withLock { $0 = subjects } }

    // MARK: Claim

    func claim(
        _ delivery: Delivery,
        isAlone: Bool,
        on slot: ThreadPool.Slot
    ) -> ClaimDispatcher.Claim {
        if isAlone {
            // Else what other threads have done would be lost beside a suspect that ends the
            // process, and blamed.
            settle(slot)
            runs.waitForEnds(atMost: Self.longestEnd)
        }
        // Where it does not come to a claim.
        defer { settle(slot) }
        guard let message = TaskMessage(delivery.message.body) else {
            repeated.log(level: .warning, "task.message-unknown", code: "", id: nil, metadata: [:])
            return .settled(.ack)
        }
        let name = delivery.message.properties.type ?? ""
        // A row that cannot be claimed is left to the scheduler: it finds that its message is gone.
        return health.persist(until: drain) { () throws(PostgresError) in
            do throws(PostgresError) {
                return try claim(message, named: name, isAlone: isAlone, on: slot)
            } catch {
                settle(slot)
                throw error
            }
        } ?? .settled(drain.isRaised ? .requeue : .ack)
    }

    private func claim(
        _ message: TaskMessage,
        named name: String,
        isAlone: Bool,
        on slot: ThreadPool.Slot
    ) throws(PostgresError) -> ClaimDispatcher.Claim {
        if isPaused(name), try store.park(message.id, run: message.run) { return .settled(.ack) }
        guard let handler = try types.find(name, { handlers.handler(named: name, of: $0) }) else {
            if try store.unhandled(message.id, run: message.run) {
                metrics.unhandled(name)
                let metadata: Logger.Metadata = ["type": "\(name)"]
                repeated.log(
                    level: .warning,
                    "task.type-unhandled",
                    code: name,
                    id: "\(message.id)",
                    metadata: metadata
                )
            }
            return .settled(.ack)
        }
        let token = handler.needsToken ? RunToken(run: message.run) : nil
        let context = RunContext(token: token)
        // Here already: the look at this worker's rows must not take it for one that is lost.
        guard runs.claiming(message, type: name, context) else { return .settled(.ack) }
        let outcome: ClaimOutcome
        do throws(PostgresError) {
            let claim = TaskClaim(id: message.id, run: message.run, worker: worker, token: token)
            if !isAlone, let task = steps.claim(claim, by: slot) {
                outcome = .claimed(task)
            } else {
                outcome = try store.claim(claim, mayRunAlone: isAlone)
            }
        } catch {
            // If it was done all the same, the keeper finds the row and gives it back.
            runs.ended(message)
            throw error
        }
        switch outcome {
        case .claimed(let task):
            return .run { giveUp in
                self.work(on: task, message, by: handler, in: context, on: slot, giveUp: giveUp)
            }
        case .suspect:
            runs.ended(message)
            return .suspect
        case .outdated:
            runs.ended(message)
            return .settled(.ack)
        }
    }

    /// Whether a type is, or a key of it: which one a task has, the row tells.
    private func isPaused(_ type: String) -> Bool {
        pauses.withLock { pauses in pauses.contains { $0.type == type } }
    }

    // MARK: Run

    /// - Returns: false where its thread was given up.
    private func work(
        on task: ClaimedTask,
        _ message: TaskMessage,
        by handler: any RunHandler,
        in context: RunContext,
        on slot: ThreadPool.Slot,
        giveUp: @escaping @Sendable () -> Void
    ) -> Bool {
        let waiting = handler as? any WaitingHandler
        runs.running(message, timeout: task.timeout, giveUp: waiting == nil ? giveUp : nil)
        let begin = ContinuousClock.now
        let ended = { @Sendable (end: RunEnd) in
            let duration = begin.duration(to: .now)
            return EndedRun(
                task: task,
                message: message,
                context: context,
                end: end,
                duration: duration
            )
        }
        guard let waiting else {
            let run = ended(handler.run(task, in: context))
            // It has nothing to say any more.
            guard runs.finishing(message) else {
                runs.ended(message)
                return false
            }
            steps.end(run, by: slot)
            return true
        }
        waiting.begin(task, in: context) { [self] end in
            // It has no thread that could be lost while its end waits to be written.
            _ = runs.finishing(message)
            steps.endLater { ended(end()) }
        }
        return true
    }
}
