import AMQP
import Concurrency
import ConversationPublishing
import Conversations
import DeadLetters
import Foundation
import Logging
import Postgres
import Settings
import Synchronization
import WorkerRuntime

/// What a worker does beside its messages, on a thread of its own: asks whether the database
/// answers, sweeps what was lost, throws away what is too old.
final class Upkeep: Sendable {
    private let store: ConversationStore
    private let sweeper: Sweeper
    private let outage: DatabaseOutage
    private let crashes: DatabaseCrashLedger
    private let sessions: SessionPool
    private let settings: WorkerSettings
    private let drain: DrainSignal
    /// Set by any thread, taken by the upkeep thread.
    private let isSweepWanted = Atomic(false)
    private let logger: Logger
    let pulse = Pulse(name: "upkeep")

    init(
        store: ConversationStore,
        sweeper: Sweeper,
        outage: DatabaseOutage,
        crashes: DatabaseCrashLedger,
        sessions: SessionPool,
        settings: WorkerSettings,
        drain: DrainSignal,
        logger: Logger
    ) {
        self.store = store
        self.sweeper = sweeper
        self.outage = outage
        self.crashes = crashes
        self.sessions = sessions
        self.settings = settings
        self.drain = drain
        self.logger = logger
    }

    /// Starts its thread, which ends with the drain, or with the process.
    func start() {
        startThread(name: "amity-upkeep", stackBytes: Publisher.stackBytes) { self.run() }
    }

    /// A worker has died: what it may have left in PROCESSING is looked for with the next turn.
    func sweepSoon() { isSweepWanted.store(true, ordering: .relaxed) }

    /// Opens the first sessions side by side: each takes some milliseconds.
    private func warmUp() {
        // Chosen: what a quiet queue needs. The rest are opened when they are.
        for slot in 0..<min(4, settings.databaseSessionsMax) {
            startThread(name: "amity-warm-up", stackBytes: 512 << 10) { [self] in
                do throws(PostgresError) {
                    try store.rehearse(on: slot)
                } catch {
                    notice(error, on: slot)
                }
            }
        }
    }

    private func run() {
        warmUp()
        defer { pulse.end() }
        var answers = false
        var look = DeadLetterRetention.daily
        // What needs the database waits for a probe that it answers.
        let later = Chores.Turn.again(after: .seconds(1))
        var chores = Chores()
        let probing = Chore(every: min(.seconds(5), sweepInterval), first: .zero ... .zero)
        chores.add(probing) { [self] in
            // It may have to wait for a session that threads with long work hold, yet not for
            // longer than the broker waits for them.
            pulse.expect(within: settings.holdLimit * 2)
            answers = probe()
            sessions.close(idleFor: .seconds(60))
            return answers ? .done : later
        }
        if settings.sweepAfter > .zero {
            // Not all replicas at once.
            let sweeping = Chore(every: sweepInterval, first: sweepInterval / 10...sweepInterval)
            let isWanted = { [self] in isSweepWanted.exchange(false, ordering: .relaxed) }
            chores.add(sweeping, isWanted: isWanted) { [self] in
                if answers { sweep() }
                return answers ? .done : later
            }
        }
        chores.add(Chore(every: .seconds(3600), first: .zero ... .seconds(10))) { [self] in
            if !answers { return later }
            crashes.forgetThePast()
            expireAnalyses()
            DeadLetterRetention(settings.deadLetters, sessions, logger).expire(&look)
            return .done
        }
        chores.run(by: drain)
    }

    private var sweepInterval: Duration {
        max(.seconds(1), min(.seconds(60), settings.sweepAfter / 10))
    }

    /// Runs the statements of every message, for no message.
    private func probe() -> Bool {
        do throws(PostgresError) {
            try store.rehearse(on: 0)
            outage.seenToAnswer()
            return true
        } catch {
            notice(error, on: 0)
            return false
        }
    }

    private func notice(_ error: PostgresError, on slot: ThreadPool.Slot) {
        if error.endsSession {
            // A session that the server ended while it idled is replaced when one is needed.
            if error.sqlState != "57P05" { outage.began(error) }
            return
        }
        switch store.examine(.scoring, on: slot) {
        case .rows: break
        case .away(let error), .unfit(let error): outage.began(error)
        }
    }

    private func sweep() {
        do {
            let swept = try sweeper.sweep(drain)
            if swept > 0 {
                logger.notice(
                    "sweep.requeued",
                    metadata: ["conversations": .stringConvertible(swept)]
                )
            }
        } catch {
            logger.warning("sweep.failed", metadata: ["error": "\(error)"])
        }
    }

    private func expireAnalyses() {
        do {
            try store.expireAnalyses()
        } catch {
            logger.warning("analyses.not-expired", metadata: ["error": "\(error)"])
        }
    }
}
