import Failpoints
import Foundation
import Logging

/// Fans deliveries out over the thread pool and turns outcomes into completions.
///
/// While all threads are busy, deliveries gather in the inbox; a thread that comes free takes its
/// share of them, up to the handler's batch limit. So batches grow under backlog and vanish at low
/// load, and nothing ever lingers to wait for company.
package final class Dispatcher: Sendable {
    private let inbox: Locked<Inbox>
    private let pool: ThreadPool
    private let handlers: HandlerRegistry
    private let policy: RetryPolicy
    private let crashes: any CrashLedger
    private let completions: Mailbox<Completion>
    private let republisher: any Republisher
    private let journal: any DeadLetterJournal
    private let repeated: RepeatedEvents
    private let drain: DrainSignal
    private let counts: WorkerCounts
    private let metrics: WorkerMetrics
    private let logger: Logger

    package init(
        pool: ThreadPool,
        handlers: HandlerRegistry,
        policy: RetryPolicy,
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
        inbox = Locked(Inbox(limit: pool.count))
        self.pool = pool
        self.handlers = handlers
        self.policy = policy
        self.crashes = crashes
        self.completions = completions
        self.republisher = republisher
        self.drain = drain
        self.counts = counts
        self.metrics = metrics
        self.logger = logger
    }

    /// Takes deliveries in; never blocks. Called by the thread that owns the channel.
    package func submit(_ deliveries: [Delivery]) {
        if deliveries.isEmpty { return }
        startOperations(after: { $0.add(deliveries) })
    }

    /// Takes back whatever has not begun: at a drain, or when its session is lost.
    package func withdraw() -> [Delivery] {
        inbox.withLock { $0.withdraw() }
    }

    package var load: Inbox.Load { inbox.withLock { $0.load } }

    /// What has been done since the last `begin`.
    var tally: Inbox.Tally { inbox.withLock { $0.tally } }

    /// Begins to count anew, with at most `limit` busy threads from now on; never blocks.
    ///
    /// - Parameter limit: 1 or more, and no more than the pool has threads.
    func begin(limit: Int) {
        precondition((1...pool.count).contains(limit))
        startOperations(after: { $0.begin(limit: limit) })
    }

    /// Dead-letters a delivery that is not to be looked at; never blocks.
    package func refuse(_ delivery: Delivery, because failure: Failure) {
        let disposition = disposition(of: delivery, after: failure, isPermanent: true)
        metrics.count(.init(dead: 1))
        let failed = FailedDelivery(delivery: delivery, failure: failure, retryAfter: nil)
        bury([(failed, disposition)], isReadable: false)
    }

    private func startOperations(after change: (inout Inbox) -> Void) {
        let starts = inbox.withLock { inbox in
            change(&inbox)
            return inbox.operationsToStart()
        }
        for _ in 0..<starts { pool.run { slot in self.work(on: slot) } }
    }

    /// One operation: takes work until there is none for it.
    private func work(on slot: ThreadPool.Slot) {
        let context = HandlerContext(slot: slot, drain: drain)
        while let work = inbox.withLock({ $0.next(handlers) }) {
            let begin = ContinuousClock.now
            counts.threadBegan()
            switch work {
            case .batch(let batch, round: _):
                if batch[0].redelivered {
                    runAgain(batch, in: context)
                } else {
                    run(batch, in: context)
                }
            case .alone(let suspect): runAlone(suspect, in: context)
            }
            counts.threadEnded()
            // Others may have ended because nothing was to run beside this.
            let duration = begin.duration(to: .now)
            startOperations(after: { $0.finished(work, in: duration) })
        }
    }

    private func run(_ batch: [Delivery], in context: HandlerContext) {
        Failpoint.received.hit()
        let begin = ContinuousClock.now
        let handler = handlers[batch[0].message.properties.type]
        let outcomes = handle(batch, by: handler, in: context)
        finish(batch, with: outcomes, by: handler, in: context)
        logger.debug(
            "batch.handled",
            metadata: [
                "size": .stringConvertible(batch.count),
                "waited_seconds": .stringConvertible(
                    batch[0].receivedAt.duration(to: begin) / .seconds(1)
                ),
                "seconds": .stringConvertible(begin.duration(to: .now) / .seconds(1)),
            ]
        )
    }

    private func handle(
        _ batch: [Delivery],
        by handler: any Handler,
        in context: HandlerContext
    ) -> [Outcome] {
        let begin = ContinuousClock.now
        metrics.inboxWait.record(batch[0].receivedAt.duration(to: begin))
        metrics.batchMessages.record(batch.count)
        let outcomes = handler.handle(batch, in: context)
        precondition(outcomes.count == batch.count, "one outcome for each delivery")
        metrics.processDuration.record(begin.duration(to: .now))
        return outcomes
    }
}

// MARK: - Crashes

extension Dispatcher {
    /// Runs what was delivered before, but for those of it that may have killed a worker.
    private func runAgain(_ batch: [Delivery], in context: HandlerContext) {
        let keys = batch.map { MessageKey($0.message) }
        guard let records = crashes.take(keys, in: context) else { return interrupt(batch) }
        Failpoint.attemptRecorded.hit()
        var clear: [Delivery] = []
        var suspects: [Inbox.Suspect] = []
        for (delivery, record) in zip(batch, records) {
            switch record {
            case .clear: clear.append(delivery)
            case .suspect(let crashes):
                suspects.append(Inbox.Suspect(delivery: delivery, crashes: crashes))
            }
        }
        if !suspects.isEmpty {
            logger.warning(
                "message.suspected",
                metadata: ["messages": .stringConvertible(suspects.count)]
            )
            let taken = inbox.withLock { $0.add(suspects) }
            if !taken { interrupt(suspects.map(\.delivery)) }
        }
        if !clear.isEmpty { run(clear, in: context) }
        crashes.release(in: context)
    }

    /// Runs a message that may kill the process, or puts it aside when it has done so too often.
    private func runAlone(_ suspect: Inbox.Suspect, in context: HandlerContext) {
        let (delivery, crashes) = (suspect.delivery, suspect.crashes)
        let key = MessageKey(delivery.message)
        let limit = policy.maxCrashes
        // Writing down its end needs a look at it, and that may be what kills: some tries, charged too.
        guard crashes < limit + Self.looksAfterQuarantine else {
            return refuse(delivery, because: .crash(times: limit))
        }
        guard self.crashes.charge(key, crashes: crashes + 1, in: context) else {
            return interrupt([delivery])
        }
        Failpoint.attemptRecorded.hit()
        let handler = handlers[delivery.message.properties.type]
        if crashes >= limit {
            let end = Outcome.deadLetter(.crash(times: limit))
            return finish([delivery], with: [end], by: handler, in: context)
        }
        let outcomes = handle([delivery], by: handler, in: context)
        // Done, it is of no interest any more; else it has as many crashes as before.
        let isDone = outcomes == [.done] || outcomes == [.duplicate]
        let isClear = self.crashes.acquit(key, crashes: isDone ? 0 : crashes, in: context)
        if !isClear, outcomes == [.interrupted] {
            counts.settled(done: 0, interrupted: 1)
            metrics.count(.init(interrupted: 1))
            let copy = RetryPolicy.acquitted(delivery.message)
            republisher.republish(
                copy,
                about: nil,
                to: policy.names.main,
                replacing: delivery.id
            )
        } else {
            finish([delivery], with: outcomes, by: handler, in: context)
        }
    }

    /// Chosen: one for each of the ways in which the database may refuse to be told.
    private static let looksAfterQuarantine = 3

    private func interrupt(_ batch: [Delivery]) {
        counts.settled(done: 0, interrupted: batch.count)
        metrics.count(.init(interrupted: batch.count))
        completions.post(batch.map { Completion(id: $0.id, settlement: .requeue) })
    }
}

// MARK: - Outcomes

extension Dispatcher {
    private func finish(
        _ batch: [Delivery],
        with outcomes: [Outcome],
        by handler: any Handler,
        in context: HandlerContext
    ) {
        var settled: [Completion] = []
        settled.reserveCapacity(batch.count)
        var failed: [(FailedDelivery, RetryPolicy.Disposition)] = []
        var postponed: [(Delivery, Failure, RetryPolicy.Disposition)] = []
        var tally = WorkerMetrics.Tally()
        func fail(_ delivery: Delivery, _ failure: Failure, isPermanent: Bool) {
            let next = disposition(of: delivery, after: failure, isPermanent: isPermanent)
            if next.isDead { tally.dead += 1 } else { tally.retry += 1 }
            let after = next.retryAfter
            failed.append((.init(delivery: delivery, failure: failure, retryAfter: after), next))
        }
        for (delivery, outcome) in zip(batch, outcomes) {
            switch outcome {
            case .done:
                tally.ok += 1
                settled.append(.init(id: delivery.id, settlement: .ack))
            case .duplicate:
                tally.duplicate += 1
                settled.append(.init(id: delivery.id, settlement: .ack))
            case .interrupted:
                tally.interrupted += 1
                settled.append(.init(id: delivery.id, settlement: .requeue))
            case .retry(let failure): fail(delivery, failure, isPermanent: false)
            case .deadLetter(let failure): fail(delivery, failure, isPermanent: true)
            case .postpone(let failure, let isBounded):
                if let next = postponement(of: delivery, isBounded: isBounded) {
                    tally.interrupted += 1
                    postponed.append((delivery, failure, next))
                } else {
                    fail(delivery, failure, isPermanent: false)
                }
            }
        }
        // Before anybody can see that the messages are settled.
        metrics.count(tally)
        counts.settled(done: tally.ok + tally.duplicate, interrupted: tally.interrupted)
        completions.post(settled)
        Failpoint.completionPosted.hit()
        for (delivery, failure, next) in postponed { postpone(delivery, after: failure, next) }
        if failed.isEmpty { return }
        handler.record(failed.map(\.0), in: context)
        for (failed, next) in failed where !next.isDead {
            republish(failed.delivery, after: failed.failure, next)
        }
        bury(failed.filter(\.1.isDead), isReadable: true)
    }

    /// Dead-letters what is written down first: row, then copy, then ack, so that a crash in between
    /// leaves a row too many for a moment and never a letter without one.
    ///
    /// - Parameter isReadable: false where the body is not to be looked at.
    private func bury(
        _ dead: [(FailedDelivery, RetryPolicy.Disposition)],
        isReadable: Bool
    ) {
        if dead.isEmpty { return }
        let records = dead.map { failed, next in
            DeadLetterRecord(
                message: next.message,
                failure: failed.failure,
                attempts: next.attempts,
                isReadable: isReadable,
                isRedelivered: failed.delivery.redelivered
            )
        }
        journal.record(records) { [self] in
            for (failed, next) in dead {
                republish(failed.delivery, after: failed.failure, next)
            }
        }
    }

    private func disposition(
        of delivery: Delivery,
        after failure: Failure,
        isPermanent: Bool
    ) -> RetryPolicy.Disposition {
        var random = SystemRandomNumberGenerator()
        return policy.disposition(
            of: delivery.message,
            after: failure,
            isPermanent: isPermanent,
            at: Date(),
            using: &random
        )
    }

    private func postponement(
        of delivery: Delivery,
        isBounded: Bool
    ) -> RetryPolicy.Disposition? {
        var random = SystemRandomNumberGenerator()
        return policy.postponement(
            of: delivery.message,
            isBounded: isBounded,
            using: &random
        )
    }

    private func postpone(
        _ delivery: Delivery,
        after failure: Failure,
        _ disposition: RetryPolicy.Disposition
    ) {
        var metadata: Logger.Metadata = [
            "queue": "\(disposition.queue)", "code": "\(failure.code)",
            "reason": "\(failure.reason)",
        ]
        metadata["subject"] = failure.subject.map { "\($0)" }
        repeated.log(
            level: .warning,
            "message.postponed",
            code: failure.code,
            id: failure.subject,
            metadata: metadata
        )
        republisher.republish(
            disposition.message,
            about: failure.subject,
            to: disposition.queue,
            replacing: delivery.id
        )
    }

    private func republish(
        _ delivery: Delivery,
        after failure: Failure,
        _ disposition: RetryPolicy.Disposition
    ) {
        counts.failed(failure, attempts: disposition.attempts, isDead: disposition.isDead)
        var metadata: Logger.Metadata = [
            "queue": "\(disposition.queue)", "code": "\(failure.code)",
            "reason": "\(failure.reason)",
            "attempt": .stringConvertible(disposition.attempts),
            "seconds": .stringConvertible(delivery.receivedAt.duration(to: .now) / .seconds(1)),
        ]
        metadata["subject"] = failure.subject.map { "\($0)" }
        metadata["message"] = delivery.message.properties.messageID.map { "\($0)" }
        let letter = disposition.isDead ? disposition.message.letterID : nil
        metadata["letter"] = letter.map { "\($0)" }
        repeated.log(
            level: disposition.isDead ? .error : .warning,
            disposition.isDead ? "message.dead-lettered" : "message.retry-scheduled",
            code: failure.code,
            id: letter ?? failure.subject,
            metadata: metadata
        )
        republisher.republish(
            disposition.message,
            about: failure.subject,
            to: disposition.queue,
            replacing: delivery.id
        )
    }
}
