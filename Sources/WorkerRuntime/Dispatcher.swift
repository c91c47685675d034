import DequeModule
import Foundation
import Logging

/// Fans deliveries out over the thread pool and turns outcomes into completions.
///
/// While all threads are busy, deliveries gather in the inbox; a thread that comes free takes its
/// share of them, up to the handler's batch limit. So batches grow under backlog and vanish at low
/// load, and nothing ever lingers to wait for company.
package final class Dispatcher: Sendable {
    private struct Inbox {
        /// Bounded by the prefetch count.
        var deliveries: Deque<Delivery> = []
        /// Operations queued or running, at most the pool's thread count.
        var operations = 0
        /// Those of them that have a batch in hand.
        var busy = 0
    }

    private let inbox = Locked(Inbox())
    private let pool: ThreadPool
    private let handlers: HandlerRegistry
    private let policy: RetryPolicy
    private let completions: Mailbox<Completion>
    private let republisher: any Republisher
    private let drain: DrainSignal
    private let logger: Logger

    package init(
        pool: ThreadPool,
        handlers: HandlerRegistry,
        policy: RetryPolicy,
        completions: Mailbox<Completion>,
        republisher: any Republisher,
        drain: DrainSignal,
        logger: Logger
    ) {
        self.pool = pool
        self.handlers = handlers
        self.policy = policy
        self.completions = completions
        self.republisher = republisher
        self.drain = drain
        self.logger = logger
    }

    /// Takes deliveries in; never blocks. Called by the thread that owns the channel.
    package func submit(_ deliveries: [Delivery]) {
        if deliveries.isEmpty { return }
        let starts = inbox.withLock { inbox in
            inbox.deliveries.append(contentsOf: deliveries)
            let starts = min(pool.count - inbox.operations, inbox.deliveries.count)
            inbox.operations += starts
            return starts
        }
        for _ in 0..<starts { pool.run { slot in self.work(on: slot) } }
    }

    /// Takes back whatever has not begun: at a drain, or when its session is lost.
    package func withdraw() -> [Delivery] {
        inbox.withLock { inbox in
            defer { inbox.deliveries.removeAll() }
            return Array(inbox.deliveries)
        }
    }

    /// One operation: takes batches until the inbox is empty.
    private func work(on slot: ThreadPool.Slot) {
        let context = HandlerContext(slot: slot, drain: drain)
        while let (batch, handler) = nextBatch() {
            let begin = ContinuousClock.now
            let outcomes =
                handler?.handle(batch, in: context)
                ?? batch.map { _ in .deadLetter(.unknownType) }
            precondition(outcomes.count == batch.count, "one outcome for each delivery")
            finish(batch, with: outcomes)
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
            inbox.withLock { $0.busy -= 1 }
        }
    }

    private func nextBatch() -> ([Delivery], (any Handler)?)? {
        inbox.withLock { inbox in
            guard let first = inbox.deliveries.first else {
                inbox.operations -= 1
                return nil
            }
            let type = first.message.properties.type
            let handler = handlers[type]
            // An even share for every thread that is free, this one included: a burst is worked
            // on side by side, a backlog (no other thread free) in batches of the full limit.
            let free = pool.count - inbox.busy
            let share = (inbox.deliveries.count + free - 1) / free
            let limit = min(share, handler?.batchLimit ?? 1)
            let batch = inbox.deliveries.prefix(limit).prefix { $0.message.properties.type == type }
            inbox.deliveries.removeFirst(batch.count)
            inbox.busy += 1
            return (Array(batch), handler)
        }
    }

    private func finish(_ batch: [Delivery], with outcomes: [Outcome]) {
        var settled: [Completion] = []
        settled.reserveCapacity(batch.count)
        for (delivery, outcome) in zip(batch, outcomes) {
            switch outcome {
            case .done: settled.append(.init(id: delivery.id, settlement: .ack))
            case .interrupted: settled.append(.init(id: delivery.id, settlement: .requeue))
            case .retry(let failure): republish(delivery, after: failure, isPermanent: false)
            case .deadLetter(let failure): republish(delivery, after: failure, isPermanent: true)
            }
        }
        completions.post(settled)
    }

    private func republish(_ delivery: Delivery, after failure: Failure, isPermanent: Bool) {
        var random = SystemRandomNumberGenerator()
        let disposition = policy.disposition(
            of: delivery.message,
            after: failure,
            isPermanent: isPermanent,
            at: Date(),
            using: &random
        )
        var metadata: Logger.Metadata = [
            "queue": "\(disposition.queue)", "code": "\(failure.code)",
            "reason": "\(failure.reason)",
            "attempt": .stringConvertible(disposition.attempts),
            "seconds": .stringConvertible(delivery.receivedAt.duration(to: .now) / .seconds(1)),
        ]
        metadata["subject"] = failure.subject.map { "\($0)" }
        metadata["message"] = delivery.message.properties.messageID.map { "\($0)" }
        logger.log(
            level: disposition.isDead ? .error : .warning,
            disposition.isDead ? "message.dead-lettered" : "message.retry-scheduled",
            metadata: metadata
        )
        republisher.republish(disposition.message, to: disposition.queue, replacing: delivery.id)
    }
}

extension Failure {
    static let unknownType = Failure(
        code: "UNKNOWN_TYPE",
        reason: "no handler for the message's type property; leave it unset for a conversation"
    )
}
