import Concurrency
import Failpoints
import Foundation
import Logging
import Messaging
import WorkerHealth

/// Fans deliveries out over the thread pool and turns outcomes into completions.
///
/// While threads are busy, deliveries gather in the inbox; a thread that comes free takes what
/// there is, up to the batch limit of its kind. So batches grow under backlog and vanish at low
/// load. How many threads that is worth is in `Inbox`.
///
/// What to do with a message that may kill the process is in `Dispatcher+Crashes.swift`, what
/// becomes of a message that was handled in `Dispatcher+Outcomes.swift`.
package final class Dispatcher: DeliveryReceiver {
    let loop: WorkLoop
    let kinds: WorkKinds
    let crashes: any CrashLedger
    let completions: Mailbox<Completion>
    let republisher: any Republisher
    let journal: any DeadLetterJournal
    let repeated: RepeatedEvents
    private let drain: DrainSignal
    let counts: WorkerCounts
    let metrics: WorkerMetrics
    /// Of each thread, by its slot: what failed there and is not written down yet.
    let held: Locked<[HeldFailures]>
    let logger: Logger

    /// - Parameters:
    ///   - kinds: that the worker does, no two with the same type.
    ///   - unknown: for messages whose type none of them has.
    package init(
        pool: ThreadPool,
        kinds: [WorkKind],
        unknown: RetryPolicy,
        crashes: any CrashLedger,
        completions: Mailbox<Completion>,
        republisher: any Republisher,
        journal: any DeadLetterJournal = NoJournal(),
        drain: DrainSignal,
        counts: WorkerCounts = WorkerCounts(),
        metrics: WorkerMetrics = WorkerMetrics(),
        repeated: RepeatedEvents? = nil,
        logger: Logger
    ) {
        self.journal = journal
        self.repeated = repeated ?? RepeatedEvents(logger: logger)
        let kinds = WorkKinds(kinds, unknown: unknown)
        loop = WorkLoop(pool: pool, kinds: kinds.index) { kinds.batchLimits }
        self.kinds = kinds
        self.crashes = crashes
        self.completions = completions
        self.republisher = republisher
        self.drain = drain
        self.counts = counts
        self.metrics = metrics
        held = Locked(Array(repeating: HeldFailures(), count: pool.count))
        self.logger = logger
    }

    package func submit(_ deliveries: [Delivery]) {
        if deliveries.isEmpty { return }
        var deliveries = deliveries
        for index in deliveries.indices {
            let handler = kinds[deliveries[index]].handler
            deliveries[index].affinity = handler.affinity(of: deliveries[index].message)
        }
        startOperations(after: { $0.add(deliveries) })
    }

    package func withdraw() -> [Delivery] {
        loop.inbox.withLock { $0.withdraw() }
    }

    package var load: Workload { loop.inbox.withLock { $0.load } }

    /// What has been done since the last `begin`.
    var tally: Inbox.Tally { loop.inbox.withLock { $0.tally } }

    /// Begins to count anew, with other numbers of busy threads from now on; never blocks.
    ///
    /// - Parameters:
    ///   - limit: 1 or more, and no more than the pool has threads; nil for all of these.
    ///   - paying: of them with batches at once.
    func begin(limit: Int? = nil, paying: Int) {
        let limit = limit ?? loop.threads
        precondition(1 <= paying && paying <= limit && limit <= loop.threads)
        startOperations(after: { $0.begin(limit: limit, paying: paying) })
    }

    var isHeld: Bool { loop.inbox.withLock(\.isHeld) }

    /// Lets only a share of its threads begin work, at least one; never blocks.
    package func hold(to share: Double) { startOperations(after: { $0.hold(to: share) }) }

    func startOperations(after change: (inout Inbox) -> Void) {
        loop.start(after: change) { [self] work, slot in
            let context = HandlerContext(slot: slot, drain: drain)
            counts.threadBegan()
            switch work {
            case .batch(let batch, let number):
                let kind = kinds.all[number]
                let context = HandlerContext(slot: slot, drain: drain) { [loop] most in
                    loop.inbox.withLock { $0.upcoming(of: number, atMost: most) }
                }
                if !mayHoldFailures(batch, of: kind) {
                    writeDownHeldFailures(isResting: true, in: context)
                }
                run(batch, of: kind, in: context)
                writeDownHeldFailures(isResting: false, in: context)
            case .alone(let suspect):
                writeDownHeldFailures(isResting: true, in: context)
                runAlone(suspect, in: context)
            case .rest: writeDownHeldFailures(isResting: true, in: context)
            }
            counts.threadEnded()
            return true
        }
    }

    /// Whether what failed before it, and in it, may be written down later: it does not last, and
    /// has killed no process.
    func mayHoldFailures(_ batch: [Delivery], of kind: WorkKind) -> Bool {
        kind.batchLimit > 1 && !batch[0].redelivered
    }

    private func run(_ batch: [Delivery], of kind: WorkKind, in context: HandlerContext) {
        let due = snoozeAgain(batch, of: kind)
        if due.isEmpty { return }
        if due[0].redelivered {
            runAgain(due, of: kind, in: context)
        } else {
            runDue(due, of: kind, in: context)
        }
    }

    /// The path of a batch through its thread: handle, then settle or publish again.
    func runDue(_ batch: [Delivery], of kind: WorkKind, in context: HandlerContext) {
        Failpoint.received.hit()
        let begin = ContinuousClock.now
        let waited = (batch.waitingSince ?? begin).duration(to: begin)
        let outcomes = handle(batch, of: kind, in: context)
        finish(batch, with: outcomes, of: kind, in: context)
        logger.debug(
            "batch.handled",
            metadata: [
                "size": .stringConvertible(batch.count),
                "waited_seconds": .stringConvertible(waited / .seconds(1)),
                "seconds": .stringConvertible(begin.duration(to: .now) / .seconds(1)),
            ]
        )
    }

    func handle(
        _ batch: [Delivery],
        of kind: WorkKind,
        in context: HandlerContext
    ) -> [Outcome] {
        let begin = ContinuousClock.now
        metrics.inboxWait.record((batch.waitingSince ?? begin).duration(to: begin))
        let outcomes = kind.handler.handle(batch, in: context)
        precondition(outcomes.count == batch.count, "one outcome for each delivery")
        // One that comes again in another batch counts there.
        let handled = outcomes.count { outcome in
            if case .deferred = outcome { false } else { true }
        }
        if handled > 0 { metrics.batchMessages.record(handled) }
        metrics.processDuration.record(begin.duration(to: .now))
        return outcomes
    }
}
