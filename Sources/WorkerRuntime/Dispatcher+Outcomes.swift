import Failpoints
import Foundation
import Logging
import Messaging

extension Dispatcher {
    /// Settles each delivery as its outcome says, or publishes its message again first.
    func finish(
        _ batch: [Delivery],
        with outcomes: [Outcome],
        of kind: WorkKind,
        in context: HandlerContext
    ) {
        let policy = kind.retryPolicy
        var settled: [Completion] = []
        settled.reserveCapacity(batch.count)
        var failed: [HeldFailures.Ended] = []
        var postponed: [(Delivery, Failure, RetryPolicy.Disposition)] = []
        var snoozed: [(Delivery, until: Date)] = []
        var deferred: [Delivery] = []
        var tally = WorkerMetrics.Tally()
        func fail(_ delivery: Delivery, _ failure: Failure, isPermanent: Bool) {
            let next = policy.disposition(of: delivery, after: failure, isPermanent: isPermanent)
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
            case .cancelled:
                tally.cancelled += 1
                settled.append(.init(id: delivery.id, settlement: .ack))
            case .deferred: deferred.append(delivery)
            case .interrupted:
                tally.interrupted += 1
                settled.append(.init(id: delivery.id, settlement: .requeue))
            case .retry(let failure): fail(delivery, failure, isPermanent: false)
            case .deadLetter(let failure): fail(delivery, failure, isPermanent: true)
            case .postpone(let failure, let isBounded):
                if let next = policy.postponement(of: delivery, isBounded: isBounded) {
                    tally.interrupted += 1
                    postponed.append((delivery, failure, next))
                } else {
                    fail(delivery, failure, isPermanent: false)
                }
            case .snooze(let time):
                tally.interrupted += 1
                snoozed.append((delivery, until: time))
            }
        }
        // Counted before it shows that the messages are settled.
        metrics.count(tally)
        counts.settled(
            done: tally.ok + tally.duplicate + tally.cancelled,
            interrupted: tally.interrupted
        )
        completions.post(settled)
        Failpoint.completionPosted.hit()
        if !deferred.isEmpty { putBack(deferred) }
        for (delivery, failure, next) in postponed { postpone(delivery, after: failure, next) }
        for (delivery, time) in snoozed { snooze(delivery, until: time, by: policy) }
        if failed.isEmpty { return }
        if mayHoldFailures(batch, of: kind) {
            held.withLock { $0[context.slot].add(failed, of: kind) }
        } else {
            writeDown(.init(kind: kind, failed: failed), in: context)
        }
    }

    private func putBack(_ deferred: [Delivery]) {
        let again = deferred.filter(\.mayBeDeferred).map { delivery in
            var delivery = delivery
            delivery.deferrals += 1
            // Nothing is late that has just been worked on.
            delivery.receivedAt = .now
            return delivery
        }
        var isTaken = false
        startOperations(after: { isTaken = $0.putBack(again) })
        let rest = isTaken ? deferred.filter { !$0.mayBeDeferred } : deferred
        if !rest.isEmpty { interrupt(rest) }
    }

    /// - Parameter isResting: whether the thread has nothing else to do.
    func writeDownHeldFailures(isResting: Bool, in context: HandlerContext) {
        let (due, areStale) = held.withLock { held in
            let areStale = held[context.slot].areStale()
            return (held[context.slot].due(isResting: isResting), areStale)
        }
        for group in due {
            if areStale {
                interrupt(group.failed.map(\.0.delivery))
            } else {
                writeDown(group, in: context)
            }
        }
    }

    private func writeDown(_ group: HeldFailures.Group, in context: HandlerContext) {
        let dead = group.failed.count(where: \.1.isDead)
        metrics.count(.init(retry: group.failed.count - dead, dead: dead))
        group.kind.handler.record(group.failed.map(\.0), in: context)
        for (failed, next) in group.failed where !next.isDead {
            republish(failed.delivery, after: failed.failure, next)
        }
        bury(group.failed.filter(\.1.isDead), isReadable: true)
    }

    package func refuse(_ delivery: Delivery, because failure: Failure) {
        let next = kinds[delivery].retryPolicy.disposition(
            of: delivery,
            after: failure,
            isPermanent: true
        )
        metrics.count(.init(dead: 1))
        let failed = FailedDelivery(delivery: delivery, failure: failure, retryAfter: nil)
        bury([(failed, next)], isReadable: false)
    }

    /// Puts those messages into a delay queue again that came before the time they were snoozed
    /// until.
    ///
    /// - Returns: the others.
    func snoozeAgain(_ batch: [Delivery], of kind: WorkKind) -> [Delivery] {
        let policy = kind.retryPolicy
        func wakeTime(of delivery: Delivery) -> Date? {
            policy.wakeTime(of: delivery.message, at: Date())
        }
        guard batch.contains(where: { wakeTime(of: $0) != nil }) else { return batch }
        return batch.filter { delivery in
            guard let time = wakeTime(of: delivery) else { return true }
            snooze(delivery, until: time, by: policy)
            return false
        }
    }

    /// Dead-letters what is written down first: row, then copy, then ack, so that a crash in
    /// between leaves a row too many for a moment and never a dead letter without one.
    ///
    /// - Parameter isReadable: false where the body is not to be looked at.
    private func bury(_ dead: [HeldFailures.Ended], isReadable: Bool) {
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

    private func snooze(_ delivery: Delivery, until time: Date, by policy: RetryPolicy) {
        let next = policy.snooze(delivery.message, until: time, at: Date())
        logger.debug("message.snoozed", metadata: ["queue": "\(next.queue)"])
        republisher.republish(next.message, about: nil, to: next.queue, replacing: delivery.id)
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
        let deadLetter = disposition.isDead ? disposition.message.deadLetterID : nil
        metadata["letter"] = deadLetter.map { "\($0)" }
        repeated.log(
            level: disposition.isDead ? .error : .warning,
            disposition.isDead ? "message.dead-lettered" : "message.retry-scheduled",
            code: failure.code,
            id: deadLetter ?? failure.subject,
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

extension RetryPolicy {
    fileprivate func disposition(
        of delivery: Delivery,
        after failure: Failure,
        isPermanent: Bool
    ) -> Disposition {
        var random = SystemRandomNumberGenerator()
        return disposition(
            of: delivery.message,
            after: failure,
            isPermanent: isPermanent,
            at: Date(),
            using: &random
        )
    }

    fileprivate func postponement(of delivery: Delivery, isBounded: Bool) -> Disposition? {
        var random = SystemRandomNumberGenerator()
        return postponement(of: delivery.message, isBounded: isBounded, using: &random)
    }
}
