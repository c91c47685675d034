import Concurrency
import Foundation
import HostResources
import JSON
import Logging
import Postgres
import TaskTypes
import Tasks

/// Once a second: renews the worker's lease, and holds what runs here against what the database
/// says runs here.
///
/// Its session is its own, so that no run and no queue for a session comes between.
final class RunKeeper: Sendable {
    /// What operators and the scheduler see of a worker, beside its lease.
    struct Facts: Encodable, Sendable {
        var name: String
        var pools: [String]
        var threads: Int
        /// What there is code or a command for.
        var types: [String]
        var running: Int
        /// Threads of handlers that have not come back: each has been replaced.
        var lost: Int
        var resources: ResourceUse?
        /// Deliveries that wait here, by queue: their rows are on no queue, and not lost.
        var unclaimed: [String: Int]
    }

    /// Without a renewal for so long, measured from its sending, the worker counts its runs as
    /// lost: five seconds before others do.
    static let patience = Duration.seconds(10)
    /// After its time limit a run has so long to come back.
    static let grace = Duration.seconds(10)

    private let runner: TaskRunner
    private let store: TaskStore
    private let health: TaskHealth
    private let facts: @Sendable () -> Facts
    private let onExhaustion: @Sendable () -> Void
    private let onDrainAsked: @Sendable () -> Void
    private let onPauses: @Sendable (Set<PauseSubject>) -> Void
    private let threads: Int
    private let stopped = MonotonicSemaphore(value: 0)
    private let drain = DrainSignal()
    private let logger: Logger

    /// - Parameters:
    ///   - store: with a session of its own.
    ///   - threads: of the worker.
    ///   - onExhaustion: called once when as many threads are lost as the worker has.
    ///   - onDrainAsked: called once when an operator has asked the worker to drain.
    ///   - onPauses: told each second what operators have paused.
    init(
        _ runner: TaskRunner,
        store: TaskStore,
        health: TaskHealth,
        threads: Int,
        facts: @escaping @Sendable () -> Facts,
        onExhaustion: @escaping @Sendable () -> Void,
        onDrainAsked: @escaping @Sendable () -> Void,
        onPauses: @escaping @Sendable (Set<PauseSubject>) -> Void,
        logger: Logger
    ) {
        self.runner = runner
        self.store = store
        self.health = health
        self.threads = threads
        self.facts = facts
        self.onExhaustion = onExhaustion
        self.onDrainAsked = onDrainAsked
        self.onPauses = onPauses
        self.logger = logger
    }

    func start() {
        startThread(name: "amity-task-keeper", stackBytes: 512 << 10) {
            self.run()
            self.stopped.signal()
        }
    }

    /// Ends the lease and the thread. Nothing may run any more.
    func stop(within limit: Duration) {
        drain.raise()
        stopped.wait(atMost: limit)
    }

    /// What one look needs to know of those before.
    private struct State {
        var renewedAt = ContinuousClock.now
        /// Rows of this worker that it does not run, as of the last look.
        var strangers: Set<TaskMessage> = []
        var isExhausted = false
        var isDrainAsked = false
    }

    private func run() {
        var state = State()
        repeat {
            watchTimes(&state)
            do throws(PostgresError) {
                try look(&state)
                health.works()
            } catch {
                health.failed(error)
                if state.renewedAt.duration(to: .now) >= Self.patience {
                    runner.runs.stopAll(for: .fenced)
                }
            }
        } while !drain.wait(for: .seconds(1))
        do throws(PostgresError) {
            try store.releaseWorker(runner.worker)
        } catch {
            health.failed(error)
        }
    }

    private func look(_ state: inout State) throws(PostgresError) {
        let sentAt = ContinuousClock.now
        let isDrainAsked = try store.renewWorker(
            runner.worker,
            facts: JSONEncoder.stored.certainText(facts())
        )
        state.renewedAt = sentAt
        if isDrainAsked, !state.isDrainAsked {
            state.isDrainAsked = true
            logger.notice("tasks.drain-asked")
            onDrainAsked()
        }
        // In this order: what begins after this look at the table is not missed in the rows.
        let known = runner.runs.all
        let rows = try store.ownRuns(of: runner.worker)
        let owned = Set(rows.map { TaskMessage(id: $0.id, run: $0.run) })
        for (key, run) in known where run.phase == .running && !owned.contains(key) {
            run.context.stop(for: .fenced)
        }
        for row in rows where row.isCancelAsked {
            known[TaskMessage(id: row.id, run: row.run)]?.context.stop(for: .cancelled)
        }
        let now = runner.runs.all
        let strangers = owned.filter { known[$0] == nil && now[$0] == nil }
        for stranger in strangers.intersection(state.strangers) {
            // Its claim's answer was lost.
            _ = try store.giveBack(stranger.id, run: stranger.run, worker: runner.worker)
            logger.notice("task.claim-recovered", metadata: ["task": "\(stranger.id)"])
        }
        state.strangers = strangers
        try writeProgress(of: known)
        try readPauses()
        // Their end could not be written.
        for key in owned where known[key]?.phase == .writtenOff { try endWrittenOff(key) }
    }

    private func readPauses() throws(PostgresError) {
        do throws(PostgresError) {
            onPauses(Set(try store.pauses().map(\.subject)))
        } catch {
            // A database that an earlier version has set up.
            guard error.isMissingOrForbidden else { throw error }
            onPauses([])
        }
    }

    private func writeProgress(
        of runs: [TaskMessage: RunTable.Run]
    ) throws(PostgresError) {
        var taken: [(TaskMessage, RunContext, RunContext.Progress)] = []
        for (key, run) in runs where run.phase != .writtenOff {
            guard let progress = run.context.takeProgress() else { continue }
            taken.append((key, run.context, progress))
        }
        if taken.isEmpty { return }
        var written: Set<TaskID> = []
        // What is not written is tried again in a second.
        defer {
            for (key, context, progress) in taken where !written.contains(key.id) {
                context.putBack(progress)
            }
        }
        written = try store.write(
            taken.map { key, _, progress in
                RunProgress(
                    id: key.id,
                    run: key.run,
                    percent: progress.percent,
                    note: progress.note
                )
            }
        )
    }

    // MARK: Time limits

    private func watchTimes(_ state: inout State) {
        let now = ContinuousClock.now
        for run in runner.runs.all.values where run.isTimeNearlyOver {
            run.context.note(.timeNearlyOver)
        }
        for (key, run) in runner.runs.all where run.phase == .running && run.deadline <= now {
            run.context.stop(for: .timedOut)
            if run.deadline + Self.grace <= now { writeOff(key, run) }
        }
        // What they hold is held for ever: not more of it than the worker may have at work.
        if runner.runs.lostThreads >= threads, !state.isExhausted {
            state.isExhausted = true
            logger.critical("tasks.threads-lost", metadata: ["threads": "\(threads)"])
            onExhaustion()
        }
    }

    /// Ends a run whose thread does not come back: an attempt. Another thread takes its place.
    private func writeOff(_ key: TaskMessage, _ run: RunTable.Run) {
        guard runner.runs.writeOff(key) else { return }
        run.context.stop(for: .fenced)
        run.giveUp?()
        logger.error(
            "task.hangs",
            metadata: [
                "task": "\(key.id)", "type": "\(run.type)",
                "seconds": .stringConvertible(run.startedAt.duration(to: .now) / .seconds(1)),
                "lost_threads": .stringConvertible(runner.runs.lostThreads),
                "threads": .stringConvertible(threads),
            ]
        )
        do throws(PostgresError) {
            try endWrittenOff(key)
        } catch {
            // The next look at the rows of this worker finds it.
            health.failed(error)
        }
    }

    private func endWrittenOff(_ key: TaskMessage) throws(PostgresError) {
        _ = try store.finish(key.id, run: key.run, as: EndWriter.timeout)
    }
}
