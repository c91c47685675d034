import Concurrency
import Logging
import Postgres
import TaskTypes
import Tasks
import WorkerHealth
import WorkerRuntime

/// A run that its handler has done with.
struct EndedRun: Sendable {
    let task: ClaimedTask
    let message: TaskMessage
    let context: RunContext
    let end: RunEnd
    /// What the handler took.
    let duration: Duration
    /// Whether the answer to a first try to write it was lost.
    var mayBeWritten = false

    /// Chosen: larger ones make a transaction for many slow.
    private static let largestTogether = 8 << 10

    /// nil where another statement or another task has to do with its end, or it is large.
    var completion: TaskCompletion? {
        guard case .completed(let result, let effects) = end, effects.isEmpty,
            task.limitKey == nil, result.map({ $0.utf8.count <= Self.largestTogether }) ?? true
        else { return nil }
        return TaskCompletion(
            id: task.id,
            run: task.run,
            result: result,
            hasCallback: task.hasCallback
        )
    }
}

/// Writes down how runs have ended.
final class EndWriter: Sendable {
    private let worker: TaskID
    private let store: TaskStore
    private let outlet: any TaskOutlet
    private let health: TaskHealth
    private let drain: DrainSignal
    private let metrics: TaskMetrics
    private let repeated: RepeatedEvents

    init(
        worker: TaskID,
        store: TaskStore,
        outlet: any TaskOutlet,
        health: TaskHealth,
        drain: DrainSignal,
        metrics: TaskMetrics,
        repeated: RepeatedEvents
    ) {
        self.worker = worker
        self.store = store
        self.outlet = outlet
        self.health = health
        self.drain = drain
        self.metrics = metrics
        self.repeated = repeated
    }

    /// Returns when it is written, or its run is another's.
    func write(_ run: EndedRun) {
        let outcome: RunOutcome
        var effects: Effects = []
        switch run.end.counted(since: run.task.putOff) {
        case .completed(let result, let own):
            outcome = .succeeded(result: result)
            effects = own
        case .snoozed(let seconds): outcome = .snoozed(seconds: seconds)
        case .putOff(let seconds, let code, let message):
            outcome = .snoozed(seconds: seconds, code: code, message: message)
        case .handedOver: return handOver(run)
        case .failed(let code, let message, let retries, let after):
            // What failed because it was stopped has not failed.
            if let stopped = Self.outcome(of: run.context.stopReason) {
                outcome = stopped
            } else if run.context.stopReason != nil {
                return giveBack(run.task)
            } else {
                outcome = .failed(code: code, message: message, retries: retries, after: after)
            }
        case .stopped:
            if let stopped = Self.outcome(of: run.context.stopReason) {
                outcome = stopped
            } else if run.context.stopReason != nil {
                return giveBack(run.task)
            } else {
                outcome = .failed(
                    code: TaskErrorCode.stopped.rawValue,
                    message: "the handler stopped without being asked to",
                    retries: true
                )
            }
        }
        write(run, outcome, effects)
    }

    /// It was written elsewhere that a run has completed.
    func completed(_ run: EndedRun) {
        note(.written(.completed), run, .succeeded(result: nil))
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

    private func write(_ run: EndedRun, _ outcome: RunOutcome, _ effects: Effects) {
        let task = run.task
        var (mayBeDone, wasRefused) = (run.mayBeWritten, false)
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
        note(end, run, outcome)
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

    private func note(_ end: End?, _ run: EndedRun, _ outcome: RunOutcome) {
        let (task, duration) = (run.task, run.duration)
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

    private func handOver(_ run: EndedRun) {
        let task = run.task
        _ = health.persist(until: nil) { () throws(PostgresError) in
            try store.handOver(task.id, run: task.run, worker: worker, timeout: task.timeout)
        }
        metrics.ended(task.type, isSuccess: nil, after: run.duration)
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
