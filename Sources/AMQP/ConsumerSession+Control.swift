import Consuming
import Foundation
import Logging

// What a turn of a session's loop does besides carrying messages: starts and stops the consumer,
// renews its prefetch, asks after a silence, sleeps, closes.

extension ConsumerSession {
    private var queue: String { consumer.settings.topology.names.main }

    // MARK: Drain and pause

    /// Does what was asked of the worker since the last turn.
    mutating func obey() throws(AMQPError) {
        let isDraining = consumer.drain.isRaised
        let isMoving = !isDraining && firstNode?.isBack ?? false
        let action =
            isDraining
            ? state.machine.drainRequested(at: .now)
            : isMoving
                ? state.machine.moveRequested(at: .now)
                : state.machine.consumption(isOn: consumer.consumption.isOn)
        switch action {
        case .cancelConsumer:
            consumer.logger.notice(
                isDraining ? "consumer.draining" : isMoving ? "consumer.moving" : "consumer.paused",
                metadata: ["unsettled": .stringConvertible(state.machine.unsettled)]
            )
            try connection.cancelConsumer(tag: consumerTag)
            for delivery in receiver.withdraw() { giveBack(delivery.id) }
        case .resumeConsumer:
            try registerNext()
            prefetch.renewed(after: state.machine.lastTag, withheld: held.count)
            // The queue may have been deleted and declared anew meanwhile, without its binding.
            consumer.keeper?.lookSoon()
            consumer.logger.notice("consumer.resumed")
        case .connect, .close, .stop, nil:
            break
        }
    }

    private mutating func registerNext() throws(AMQPError) {
        let tag = nextConsumerTag()
        try connection.interruptibly(by: consumer.drain) { () throws(AMQPError) in
            try connection.consume(from: queue, tag: tag)
        }
    }

    func close(unfinished: Int) {
        if unfinished > 0 {
            consumer.logger.warning(
                "consumer.drain-timed-out",
                metadata: ["unfinished": .stringConvertible(unfinished)]
            )
        }
        do throws(AMQPError) {
            try connection.close(within: Self.closeLimit)
        } catch {
            consumer.logger.info("consumer.close-unanswered", metadata: ["error": "\(error)"])
        }
    }

    /// Chosen: a healthy broker answers within milliseconds, and a stop must not wait for one that
    /// is not. What is unsettled goes back to the queue either way.
    private static var closeLimit: Duration { .milliseconds(700) }

    // MARK: Prefetch

    /// Registers the consumer anew when deliveries that wait for their copies have used up its
    /// prefetch: the broker counts for a consumer what that one was given, so the new one has all
    /// of it again.
    mutating func renewPrefetch() throws(AMQPError) {
        let held = held
        let renewedAfter = prefetch.renewedAfter
        guard state.machine.isConsuming,
            prefetch.isDue(
                held: held.count,
                unsettled: state.machine.unsettled(after: renewedAfter),
                of: Int(consumer.settings.prefetch),
                load: receiver.load
            )
        else { return }
        // The bound on memory: as much again as the prefetch is worth.
        guard held.bytes <= Int(consumer.settings.prefetch) * consumer.settings.bodyLimit,
            held.count <= PrefetchRenewal.mostHeld
        else {
            if prefetch.tellsExhaustion() {
                consumer.logger.error("consumer.prefetch-exhausted", metadata: held.metadata)
            }
            return
        }
        try connection.cancelConsumer(tag: consumerTag)
        try registerNext()
        prefetch.renewed(after: state.machine.lastTag, withheld: held.count)
        consumer.logger.notice("consumer.prefetch-renewed", metadata: held.metadata)
    }

    // MARK: Silence

    /// Sleeps until the bell rings, the socket has bytes or something is due; asks the broker first
    /// for the queue's depth if it has been silent for long.
    mutating func sleep(atMost longest: Duration) throws(AMQPError) {
        // A body that trickles in is no silence, and the answer to a question would queue behind
        // it.
        let isFree =
            state.machine.isConsuming && !isInMessage
            && state.machine.unsettled(after: prefetch.renewedAfter)
                < Int(consumer.settings.prefetch)
        if isFree { try probe() }
        consumer.readiness.set(.stalled, state.detector.stalls > 1)
        if hasBacklog { Thread.sleep(forTimeInterval: Self.rest) }
        consumer.bell.wait(
            orReadable: connection.descriptor,
            timeout: state.machine.longestSleep(
                from: .now,
                atMost: isFree ? min(longest, state.detector.wait(from: .now)) : longest
            )
        )
    }

    /// How long the thread rests between two turns under a backlog: what is done and what arrives
    /// meanwhile costs one turn. In seconds. Chosen, and measured: single messages are a tenth
    /// faster with it, and the broker's work for each falls by a fifth.
    private static var rest: Double { 0.003 }

    /// Whether more waits for threads than they can do during a rest: the quickest of handlers take
    /// 20 messages a millisecond.
    private var hasBacklog: Bool {
        state.machine.isConsuming
            && receiver.load.waiting >= max(64, Int(consumer.settings.prefetch) / 2)
    }

    /// Asks whether the queue has messages that this consumer is not given. It asks on the
    /// consumer's own channel, so an answer also proves that the channel lives; a queue that is
    /// gone closes it, and the next session makes it again. The answer comes as a frame: nothing
    /// waits for it.
    private mutating func probe() throws(AMQPError) {
        if let askedAt {
            if askedAt + Connection.rpcTimeout > .now { return }
            throw .unresponsive(during: "look at queue \(queue)")
        }
        guard state.detector.isProbeDue(at: .now) else { return }
        try connection.askDepth(of: queue)
        askedAt = .now
    }

    /// Takes the answer to `probe`.
    mutating func answered(_ depth: QueueDepth) throws(AMQPError) {
        askedAt = nil
        if state.detector.probed(ready: depth.ready, at: .now) {
            consumer.metrics.stalls.increment()
            throw .stalled(ready: depth.ready)
        }
        consumer.logger.debug(
            "consumer.silent",
            metadata: ["ready": .stringConvertible(depth.ready)]
        )
    }
}

extension Publisher.Withheld {
    fileprivate var metadata: Logger.Metadata {
        ["withheld": .stringConvertible(count), "bytes": .stringConvertible(bytes)]
    }
}
