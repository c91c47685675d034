import Consuming
import Failpoints
import Logging
import Messaging

/// One session of the consumer: its connection, and the loop that reads and settles on it.
///
/// The path of one message through the channel thread:
///
///     receive ─▶ dispatch ─▶ (a thread of the pool) ─▶ completion ─▶ settle ─▶ send
///
/// This file is that path; what else a turn of the loop does is in `ConsumerSession+Control.swift`.
struct ConsumerSession: ~Copyable {
    let consumer: Consumer
    let connection: Connection
    let receiver: any DeliveryReceiver
    /// nil on the first node.
    let firstNode: FirstNodeWatch?
    private let withheldCopies: @Sendable () -> Publisher.Withheld
    /// Taken over from the session before, and handed on to the next.
    var state: ConsumerState

    private var assembler = MessageAssembler()
    private var blockedAt: ContinuousClock.Instant?
    /// Deliveries over the size limit that came while another one was on its way. Their bodies are
    /// not kept: they go back, to come again, when that one has gone.
    private var waiting: [DeliveryID] = []
    /// When the broker was asked for the queue's depth; nil when it has answered.
    var askedAt: ContinuousClock.Instant?
    var prefetch = PrefetchRenewal()
    private var registrations = 1

    /// - Parameters:
    ///   - state: of which the machine is open; the first consumer is registered unless paused.
    ///   - withheld: copies of deliveries that the broker does not take.
    init(
        of consumer: Consumer,
        on connection: consuming Connection,
        _ state: ConsumerState,
        firstNode: FirstNodeWatch?,
        receiver: any DeliveryReceiver,
        withheld: @escaping @Sendable () -> Publisher.Withheld
    ) {
        self.consumer = consumer
        self.connection = connection
        self.state = state
        self.receiver = receiver
        self.firstNode = firstNode
        withheldCopies = withheld
    }

    /// The loop: settle, obey, receive, dispatch, send, sleep. Returns when the drain is over, or
    /// the session is to be opened on the first node.
    mutating func run() throws(AMQPError) {
        // Half a heartbeat: the library services heartbeats only inside its calls.
        let longestSleep = connection.longestSilence
        while true {
            // A call that the watchdog has to end is the last one of its session.
            consumer.pulse.expect(within: longestSleep + connection.callLimit)
            // In this order: settling silences the bell, and what it rang for is looked at after.
            for completion in consumer.completions.drain() { settle(completion) }
            try obey()
            let arrived = try receive()
            receiver.submit(arrived)
            try send(hasArrivals: !arrived.isEmpty)
            if case .close(let unfinished) = state.machine.turnEnded(at: .now) {
                return close(unfinished: unfinished)
            }
            try renewPrefetch()
            try sleep(atMost: longestSleep)
        }
    }

    // MARK: Receive

    /// Takes every frame that is there.
    ///
    /// - Returns: the deliveries that became whole and are to be worked on.
    private mutating func receive() throws(AMQPError) -> [Delivery] {
        var arrived: [Delivery] = []
        var count = 0
        defer { consumer.metrics.took(count) }
        while let frame = try nextFrame() {
            guard let delivery = try delivery(completedBy: frame) else { continue }
            count += 1
            if delivery.message.body.count <= consumer.settings.bodyLimit {
                arrived.append(delivery)
            } else {
                refuse(delivery)
            }
        }
        return arrived
    }

    private mutating func nextFrame() throws(AMQPError) -> Frame? {
        do throws(AMQPError) {
            return try connection.nextFrame()
        } catch {
            if error.isUnreadable, let tag = assembler.unreadTwice {
                connection.rejectUnread(
                    tag,
                    from: consumer.settings.topology.names.main,
                    consumer.logger
                )
                state.machine.progressed()
            }
            throw error
        }
    }

    /// - Returns: the delivery whose last frame this is; nil for any other frame, and for a
    ///   delivery that came when none was asked for any more.
    private mutating func delivery(completedBy frame: Frame) throws(AMQPError) -> Delivery? {
        switch frame {
        case .closed(let error):
            throw error
        case .consumerCancelled:
            throw .consumerCancelled
        case .blocked(let reason):
            blockedAt = .now
            consumer.logger.warning("consumer.blocked", metadata: ["reason": "\(reason)"])
        case .unblocked:
            consumer.logger.logEnd("consumer.unblocked", of: blockedAt.take())
        case .depth(let depth):
            try answered(depth)
        case .delivery, .returned, .header, .body, .confirm, .other:
            guard
                case .delivered(let tag, let redelivered, let message) = try assembler.take(frame),
                case .dispatch(let id) = state.machine.delivered(tag: tag)
            else { return nil }
            state.detector.delivered(at: .now)
            let delivery = Delivery(
                id: id,
                message: message,
                redelivered: redelivered,
                receivedAt: .now
            )
            state.times.arrived(delivery)
            return delivery
        }
        return nil
    }

    /// Dead-letters a delivery over the size limit unread, one at a time: that bounds the memory.
    private mutating func refuse(_ delivery: Delivery) {
        if state.oversized == nil {
            state.oversized = delivery.id
            receiver.refuse(delivery, because: .tooLarge(limit: consumer.settings.bodyLimit))
        } else {
            waiting.append(delivery.id)
        }
    }

    // MARK: Settle

    private mutating func settle(_ completion: Completion) {
        if completion.id == state.oversized {
            state.oversized = nil
            for id in waiting { giveBack(id) }
            waiting = []
        }
        if state.machine.settled(completion) {
            state.times.settled(completion)
            return
        }
        // The broker has delivered it again since, and the database knows what is done.
        consumer.logger.info(
            "consumer.stale-completion",
            metadata: ["delivery": "\(completion.id)"]
        )
    }

    /// Settles a delivery that has not begun; no attempt is spent.
    mutating func giveBack(_ id: DeliveryID) {
        let requeue = Completion(id: id, settlement: .requeue)
        _ = state.machine.settled(requeue)
        state.times.settled(requeue)
    }

    /// Sends the acks and requeues that are due, and counts them.
    private mutating func send(hasArrivals: Bool) throws(AMQPError) {
        let most = receiver.load.acksToSpare(of: Int(consumer.settings.prefetch))
        let frames = state.machine.frames(at: .now, holding: most)
        for frame in frames { try connection.send(frame) }
        if !frames.isEmpty { Failpoint.ackSent.hit() }
        let acked = state.times.sent(frames, at: .now)
        for time in acked { consumer.metrics.settlement.record(time) }
        consumer.counts.turned(
            hasArrivals: hasArrivals,
            acked: acked,
            inFlight: state.machine.unsettled
        )
        consumer.metrics.inFlight.record(state.machine.unsettled)
    }
}

// MARK: - What the rest of the loop asks of it

extension ConsumerSession {
    static var firstConsumerTag: String { "amity" }

    /// Another for each consumer of the session: where one is registered under the tag of a
    /// cancelled one whose deliveries are not settled, a quorum queue ends the channel (541;
    /// RabbitMQ 3.10).
    var consumerTag: String {
        registrations == 1 ? Self.firstConsumerTag : "\(Self.firstConsumerTag)-\(registrations)"
    }

    /// - Returns: the tag for the next consumer.
    mutating func nextConsumerTag() -> String {
        registrations += 1
        return consumerTag
    }

    /// Whether a message has begun to arrive and is not whole.
    var isInMessage: Bool { assembler.isInMessage }

    /// Deliveries that stay unsettled for as long as the broker does not take their copies, and
    /// those that wait behind an oversized one.
    var held: Publisher.Withheld {
        var held = withheldCopies()
        held.count += waiting.count
        return held
    }
}

extension Failure {
    fileprivate static func tooLarge(limit: Int) -> Failure {
        Failure(
            code: "MESSAGE_TOO_LARGE",
            reason: "the body is larger than MESSAGE_MAX_BYTES, \(limit); it was not looked at"
        )
    }
}
