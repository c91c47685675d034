import Failpoints
import Logging
import Messaging

extension Dispatcher {
    /// Runs what was delivered before, but for those of it that may have killed a worker.
    func runAgain(_ batch: [Delivery], of kind: WorkKind, in context: HandlerContext) {
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
            let taken = loop.inbox.withLock { $0.add(suspects) }
            if !taken { interrupt(suspects.map(\.delivery)) }
        }
        if !clear.isEmpty { runDue(clear, of: kind, in: context) }
        crashes.release(in: context)
    }

    /// Runs a message that may kill the process, or puts it aside when it has done so too often.
    func runAlone(_ suspect: Inbox.Suspect, in context: HandlerContext) {
        let (delivery, crashes) = (suspect.delivery, suspect.crashes)
        let key = MessageKey(delivery.message)
        let kind = kinds[delivery]
        let limit = kind.retryPolicy.maxCrashes
        // Writing down its end needs a look at it, and that may be what kills: some tries, charged
        // too.
        guard crashes < limit + Self.looksAfterQuarantine else {
            return refuse(delivery, because: .crash(times: limit))
        }
        guard self.crashes.charge(key, crashes: crashes + 1, in: context) else {
            return interrupt([delivery])
        }
        Failpoint.attemptRecorded.hit()
        if crashes >= limit {
            let end = Outcome.deadLetter(.crash(times: limit))
            return finish([delivery], with: [end], of: kind, in: context)
        }
        let outcomes = handle([delivery], of: kind, in: context)
        // One that is final needs no record any more; else it has as many crashes as before.
        let isDone = [.done, .duplicate, .cancelled].contains(outcomes[0])
        let isClear = self.crashes.acquit(key, crashes: isDone ? 0 : crashes, in: context)
        if !isClear, outcomes == [.interrupted] {
            counts.settled(done: 0, interrupted: 1)
            metrics.count(.init(interrupted: 1))
            let copy = RetryPolicy.acquitted(delivery.message)
            republisher.republish(
                copy,
                about: nil,
                to: kind.retryPolicy.names.main,
                replacing: delivery.id
            )
        } else {
            finish([delivery], with: outcomes, of: kind, in: context)
        }
    }

    /// Chosen: one for each of the ways in which the database may refuse to be told.
    private static let looksAfterQuarantine = 3

    func interrupt(_ batch: [Delivery]) {
        counts.settled(done: 0, interrupted: batch.count)
        metrics.count(.init(interrupted: batch.count))
        completions.post(batch.map { Completion(id: $0.id, settlement: .requeue) })
    }
}
