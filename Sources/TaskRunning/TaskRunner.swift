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
    let worker: TaskID
    let store: TaskStore
    let runs = RunTable()
    private let handlers: HandlerSet
    private let types: TypeDirectory
    private let outlet: any TaskOutlet
    private let health: TaskHealth
    private let drain: DrainSignal
    private let metrics: TaskMetrics
    private let repeated: RepeatedEvents
    /// Writes the ends of runs that have no thread.
    private let enders = ThreadPool(count: 2, name: "amity-task-end")
    /// What operators have paused, as it was a moment ago.
    private let pauses = Locked<Set<PauseSubject>>([])

    init(
        worker: TaskID,
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
        self.outlet = outlet
        self.health = health
        self.drain = drain
        self.metrics = metrics
        repeated = RepeatedEvents(logger: logger)
    }

    /// Nothing may run any more.
    func close() {
        repeated.flush()
        enders.close()
    }

    func paused(_ subjects: Set<PauseSubject>) { pauses.withLock { $0 = subjects } }

    // MARK: Claim

    func claim(_ delivery: Delivery, isAlone: Bool) -> ClaimDispatcher.Claim {
        guard let message = TaskMessage(delivery.message.body) else {
            repeated.log(level: .warning, "task.message-unknown", code: "", id: nil, metadata: [:])
            return .settled(.ack)
        }
        let name = delivery.message.properties.type ?? ""
        // A row that cannot be claimed is left to the scheduler: it finds that its message is gone.
        return health.persist(until: drain) { () throws(PostgresError) in
            try claim(message, named: name, isAlone: isAlone)
        } ?? .settled(drain.isRaised ? .requeue : .ack)
    }

    private func claim(
        _ message: TaskMessage,
        named name: String,
        isAlone: Bool
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
            outcome = try store.claim(
                message.id,
                run: message.run,
                worker: worker,
                token: token,
                mayRunAlone: isAlone
            )
        } catch {
            // If it was done all the same, the keeper finds the row and gives it back.
            runs.ended(message)
            throw error
        }
        switch outcome {
        case .claimed(let task):
            return .run { giveUp in
                self.work(on: task, message, by: handler, in: context, giveUp: giveUp)
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
        giveUp: @escaping @Sendable () -> Void
    ) -> Bool {
        let waiting = handler as? any WaitingHandler
        runs.running(message, timeout: task.timeout, giveUp: waiting == nil ? giveUp : nil)
        let begin = ContinuousClock.now
        guard let waiting else {
            return ended(task, message, context, since: begin) { handler.run(task, in: context) }
        }
        waiting.begin(task, in: context) { [self] end in
            // It has no thread that could be lost while its end waits to be written.
            _ = runs.finishing(message)
            enders.run { _ in _ = self.ended(task, message, context, since: begin, end) }
        }
        return true
    }

    /// - Returns: false for one that came back after it was written off.
    private func ended(
        _ task: ClaimedTask,
        _ message: TaskMessage,
        _ context: RunContext,
        since begin: ContinuousClock.Instant,
        _ end: () -> RunEnd
    ) -> Bool {
        defer { runs.ended(message) }
        let end = end()
        let duration = begin.duration(to: .now)
        // It has nothing to say any more.
        guard runs.finishing(message) else { return false }
        finish(task, as: end, context, after: duration)
        return true
    }

    // MARK: Finish

    private func finish(
        _ task: ClaimedTask,
        as end: RunEnd,
        _ context: RunContext,
        after duration: Duration
    ) {
        let outcome: RunOutcome
        var effects: Effects = []
        switch end.counted(since: task.putOff) {
        case .completed(let result, let own):
            outcome = .succeeded(result: result)
            effects = own
        case .snoozed(let seconds): outcome = .snoozed(seconds: seconds)
        case .putOff(let seconds, let code, let message):
            outcome = .snoozed(seconds: seconds, code: code, message: message)
        case .handedOver: return handOver(task, after: duration)
        case .failed(let code, let message, let retries, let after):
            // What failed because it was stopped has not failed.
            if let stopped = Self.outcome(of: context.stopReason) {
                outcome = stopped
            } else if context.stopReason != nil {
                return giveBack(task)
            } else {
                outcome = .failed(code: code, message: message, retries: retries, after: after)
            }
        case .stopped:
            if let stopped = Self.outcome(of: context.stopReason) {
                outcome = stopped
            } else if context.stopReason != nil {
                return giveBack(task)
            } else {
                outcome = .failed(
                    code: TaskErrorCode.stopped.rawValue,
                    message: "the handler stopped without being asked to",
                    retries: true
                )
            }
        }
        write(task, outcome, effects, after: duration)
    }

    /// - Returns: nil where the run goes on elsewhere, or has done so.
    private static func outcome(of reason: RunContext.StopReason?) -> RunOutcome? {
        switch reason {
        case .cancelled: .stopped
        case .timedOut: timeout
        case .drained, .fenced, nil: nil
        }
    }

    static let timeout = RunOutcome.failed(
        code: TaskErrorCode.timeout.rawValue,
        message: TaskErrorCode.timeout.message,
        retries: true
    )

    private func write(
        _ task: ClaimedTask,
        _ outcome: RunOutcome,
        _ effects: Effects,
        after duration: Duration
    ) {
        var (mayBeDone, wasRefused) = (false, false)
        // What a statement of the handler's own meets that may do the next time, but never did.
        var race: String?
        // Without a limit: the row is this run's until the lease is over, and then it answers so.
        let isOwn = { (error: PostgresError) in error.mayBeMatter(of: effects) }
        var end = health.persist(until: nil, isOwn: isOwn) { () throws(PostgresError) -> End in
            do throws(PostgresError) {
                let moved = try store.finish(
                    task.id,
                    run: task.run,
                    as: outcome,
                    with: effects,
                    hasCallback: task.hasCallback
                )
                if let moved { return .written(moved.state) }
            } catch {
                guard error.refuses(effects) else {
                    mayBeDone = true
                    race = error.isOf(effects) ? error.sqlState : nil
                    throw error
                }
                wasRefused = true
                return try refuse(task, error.sqlState)
            }
            // The answer to an earlier try may have been lost.
            if wasRefused, let state = try store.lastState(of: task.id, run: task.run) {
                return .refused(state)
            }
            if mayBeDone, let state = try store.lastState(of: task.id, run: task.run) {
                return .written(state)
            }
            return .fenced
        }
        if end == nil, !health.end.isRaised {
            // It cannot be written as it is; as a failure it may.
            end =
                health.persist(until: nil) { () throws(PostgresError) in
                    if let race { return try refuse(task, race) }
                    _ = try store.finish(task.id, run: task.run, as: .resultRefused)
                    return nil
                } ?? nil
        }
        note(end, task, outcome, duration)
        if let key = task.limitKey { admitNext(of: key) }
    }

    private func refuse(_ task: ClaimedTask, _ sqlState: String) throws(PostgresError) -> End {
        let outcome = RunOutcome.effectRefused(by: sqlState)
        let moved = try store.finish(task.id, run: task.run, as: outcome)
        return moved.map { .refused($0.state) } ?? .fenced
    }

    private func admitNext(of key: String) {
        let begin = ContinuousClock.now
        do throws(PostgresError) {
            let next = try store.admitNext(of: key)
            if !next.isEmpty { outlet.publish(next, leasedAt: begin) }
        } catch {
            // The scheduler that leads looks at each key, too.
            health.logger.debug("task.next-not-admitted", metadata: ["error": "\(error)"])
        }
    }

    /// What became of a run's end.
    private enum End {
        case written(TaskState)
        /// A statement of the handler's own was refused: it failed.
        case refused(TaskState)
        /// The task had been given to another run.
        case fenced
    }

    private func note(
        _ end: End?,
        _ task: ClaimedTask,
        _ outcome: RunOutcome,
        _ duration: Duration
    ) {
        switch (end, outcome) {
        case (nil, _): metrics.ended(task.type, isSuccess: false, after: duration)
        case (.fenced, _):
            metrics.fenced.increment()
            log("task.fenced", task, code: "", level: .notice)
        case (.refused(let state), _):
            failed(task, code: TaskErrorCode.effectRefused.rawValue, state, after: duration)
        case (.written(let state), .failed(let code, _, _, _)):
            failed(task, code: code, state, after: duration)
        case (.written(.completed), .succeeded):
            metrics.ended(task.type, isSuccess: true, after: duration)
        case (.written(.failed), .succeeded(let result)):
            let isLarge = result.map { $0.utf8.count > TaskStore.largestResult } ?? false
            let code = isLarge ? TaskErrorCode.resultTooLarge : .resultRefused
            failed(task, code: code.rawValue, .failed, after: duration)
        case (.written, .succeeded), (.written, .snoozed), (.written, .stopped):
            metrics.ended(task.type, isSuccess: nil, after: duration)
        }
    }

    private func failed(
        _ task: ClaimedTask,
        code: String,
        _ state: TaskState,
        after duration: Duration
    ) {
        metrics.ended(task.type, isSuccess: false, after: duration)
        let isFinal = state == .failed
        log(
            isFinal ? "task.failed" : "task.retry-scheduled",
            task,
            code: code,
            level: isFinal ? .error : .warning
        )
    }

    private func log(
        _ event: Logger.Message,
        _ task: ClaimedTask,
        code: String,
        level: Logger.Level
    ) {
        let shown = Self.isCode(code) ? code : "OTHER"
        repeated.log(
            level: level,
            event,
            code: shown,
            id: "\(task.id)",
            metadata: [
                "task": "\(task.id)", "type": "\(task.type)", "code": "\(shown)",
                "run": .stringConvertible(task.run), "attempt": .stringConvertible(task.attempt),
            ]
        )
    }

    /// A handler chooses its codes; what does not look like one may be text of a user.
    private static func isCode(_ code: String) -> Bool {
        code.utf8.count <= 50
            && code.utf8.allSatisfy { byte in
                (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || byte == UInt8(ascii: "_")
            }
    }

    private func handOver(_ task: ClaimedTask, after duration: Duration) {
        _ = health.persist(until: nil) { () throws(PostgresError) in
            try store.handOver(task.id, run: task.run, worker: worker, timeout: task.timeout)
        }
        metrics.ended(task.type, isSuccess: nil, after: duration)
    }

    /// Not to its end, through no fault of its own. A run that is not this worker's any more is
    /// left as it is.
    private func giveBack(_ task: ClaimedTask) {
        metrics.interrupted.increment()
        _ = health.persist(until: drain) { () throws(PostgresError) in
            try store.giveBack(task.id, run: task.run, worker: worker)
        }
    }
}
