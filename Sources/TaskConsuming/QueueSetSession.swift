import AMQP
import Consuming
import Logging
import Messaging

/// One session: its connection, and the loop that reads and settles on it.
struct QueueSetSession: ~Copyable {
    private let consumer: QueueSetConsumer
    private let connection: Connection
    private let receiver: any QueueSetReceiver
    /// nil on the first node.
    private let firstNode: FirstNodeWatch?
    /// Taken over from the session before, and handed on to the next.
    var state: QueueSetState
    private var assembler = MessageAssembler()
    /// Of the consumers that are registered, by the queue's number.
    private var tags: [Int: String] = [:]
    /// Of every consumer of the session: deliveries of a cancelled one may be under way.
    private var sources: [String: Int] = [:]
    /// Queues that are asked for nothing until a thread is free.
    private var paused: Set<Int> = []
    /// Queues that an operator has paused, as of this turn.
    private var stopped: Set<Int> = []
    /// Which queue is asked for its depth next, and since when an answer is due.
    private var probed = 0
    private var askedAt: ContinuousClock.Instant?

    init(
        of consumer: QueueSetConsumer,
        on connection: consuming Connection,
        _ state: QueueSetState,
        firstNode: FirstNodeWatch?,
        receiver: any QueueSetReceiver
    ) {
        self.consumer = consumer
        self.connection = connection
        self.state = state
        self.receiver = receiver
        self.firstNode = firstNode
    }

    /// The loop: settle, obey, receive, send, sleep. Returns when the drain is over, or the session
    /// is to be opened on the first node.
    mutating func run() throws(AMQPError) {
        let longestSleep = connection.longestSilence
        while true {
            consumer.pulse.expect(within: longestSleep + connection.callLimit)
            // In this order: settling silences the bell, and what it rang for is looked at after.
            for completion in consumer.completions.drain() { settle(completion) }
            try obey()
            receiver.submit(try receive())
            try surrender()
            // No ack waits for those before it: what they are of may be a queue whose turn comes
            // late, and a busy one would be given nothing new meanwhile.
            for frame in state.machine.frames(at: .now, holding: 0) {
                try connection.send(frame)
            }
            if case .close = state.machine.turnEnded(at: .now) { return close() }
            try sleep(atMost: longestSleep)
        }
    }

    // MARK: Consumers

    /// Does what was asked of the worker since the last turn.
    private mutating func obey() throws(AMQPError) {
        let isDraining = consumer.drain.isRaised
        let isMoving = !isDraining && firstNode?.isBack ?? false
        let action =
            isDraining
            ? state.machine.drainRequested(at: .now)
            : isMoving
                ? state.machine.moveRequested(at: .now)
                : state.machine.consumption(isOn: consumer.consumption.isOn)
        if isMoving, action != nil { consumer.logger.notice("task-consumer.moving") }
        switch action {
        case .cancelConsumer:
            for number in tags.keys.sorted() { try cancel(number) }
            for delivery in receiver.withdraw() { giveBack(delivery) }
        case .resumeConsumer, .connect, .close, .stop, nil:
            break
        }
        try leavePaused()
        if state.machine.isConsuming { try registerMissing() }
    }

    /// Ends the consumers of queues that an operator has paused, and gives back what waits of them.
    private mutating func leavePaused() throws(AMQPError) {
        stopped = consumer.pausedQueues
        for number in tags.keys.sorted() where stopped.contains(number) { try cancel(number) }
        if stopped.isEmpty { return }
        for delivery in receiver.withdraw(from: stopped) { giveBack(delivery) }
    }

    /// Registers a consumer for each queue that has none and may have one.
    private mutating func registerMissing() throws(AMQPError) {
        if !paused.isEmpty, receiver.mayStart { paused = [] }
        let aside = consumer.aside.withLock { $0 }
        for number in consumer.settings.queues.indices {
            guard tags[number] == nil, !paused.contains(number), !stopped.contains(number),
                aside[number] == nil
            else { continue }
            let tag = "amity-\(sources.count + 1)"
            try connection.interruptibly(by: consumer.drain) { () throws(AMQPError) in
                try connection.consume(from: consumer.settings.queues[number], tag: tag)
            }
            tags[number] = tag
            sources[tag] = number
        }
    }

    private mutating func cancel(_ number: Int) throws(AMQPError) {
        guard let tag = tags.removeValue(forKey: number) else { return }
        try connection.cancelConsumer(tag: tag)
    }

    /// Gives back what has waited here for long, and asks its queues for nothing more for now.
    private mutating func surrender() throws(AMQPError) {
        let overdue = receiver.surrender(at: .now)
        if overdue.isEmpty { return }
        for number in Set(overdue.map(\.source)).sorted() {
            paused.insert(number)
            try cancel(number)
        }
        for delivery in overdue { giveBack(delivery) }
        consumer.logger.notice(
            "task-consumer.given-back",
            metadata: ["messages": .stringConvertible(overdue.count)]
        )
    }

    // MARK: Messages

    /// Takes every frame that is there.
    private mutating func receive() throws(AMQPError) -> [Delivery] {
        var arrived: [Delivery] = []
        while let frame = try nextFrame() {
            guard let delivery = try delivery(completedBy: frame) else { continue }
            if stopped.contains(delivery.source) {
                // It was under way when the consumer was cancelled.
                giveBack(delivery)
            } else if delivery.message.body.count <= consumer.settings.bodyLimit {
                arrived.append(delivery)
            } else {
                // None of ours is as large: see `DeliveryReceiver`.
                receiver.refuse(delivery, because: .tooLarge)
            }
        }
        return arrived
    }

    /// See the same of `ConsumerSession`.
    private mutating func nextFrame() throws(AMQPError) -> Frame? {
        do throws(AMQPError) {
            return try connection.nextFrame()
        } catch {
            if error.isUnreadable, let tag = assembler.unreadTwice {
                let source = sources[assembler.consumer] ?? 0
                connection.rejectUnread(
                    tag,
                    from: consumer.settings.queues[source],
                    consumer.logger
                )
                state.machine.progressed()
            }
            throw error
        }
    }

    private mutating func delivery(completedBy frame: Frame) throws(AMQPError) -> Delivery? {
        switch frame {
        case .closed(let error): throw error
        case .consumerCancelled: throw .consumerCancelled
        case .blocked, .unblocked: return nil
        case .depth(let depth):
            try answered(depth)
            return nil
        case .delivery, .returned, .header, .body, .confirm, .other:
            guard
                case .delivered(let tag, let redelivered, let message) = try assembler.take(frame),
                case .dispatch(let id) = state.machine.delivered(tag: tag)
            else { return nil }
            state.detector.delivered(at: .now)
            return Delivery(
                id: id,
                message: message,
                redelivered: redelivered,
                receivedAt: .now,
                source: sources[assembler.consumer] ?? 0
            )
        }
    }

    private mutating func settle(_ completion: Completion) {
        // One that is stale names a delivery that the broker has given to another consumer.
        _ = state.machine.settled(completion)
    }

    private mutating func giveBack(_ delivery: Delivery) {
        settle(Completion(id: delivery.id, settlement: .requeue))
    }

    private func close() {
        do throws(AMQPError) {
            try connection.close(within: .milliseconds(700))
        } catch {
            consumer.logger.info("task-consumer.close-unanswered", metadata: ["error": "\(error)"])
        }
    }

    // MARK: Silence

    /// Sleeps until the bell rings, the socket has bytes or something is due.
    private mutating func sleep(atMost longest: Duration) throws(AMQPError) {
        let now = ContinuousClock.now
        var limit = state.machine.longestSleep(from: now, atMost: longest)
        // Nothing waits here, and every queue is asked: one with messages would give them.
        if state.machine.isConsuming, state.machine.unsettled == 0, !tags.isEmpty,
            paused.isEmpty, !assembler.isInMessage
        {
            try probe()
            limit = min(limit, max(.milliseconds(1), state.detector.wait(from: now)))
        }
        let aside = consumer.aside.withLock { $0 }
        if let next = aside.values.min() {
            limit = min(limit, max(.zero, now.duration(to: next)))
            if next <= now { consumer.lookAtAside() }
        }
        consumer.bell.wait(orReadable: connection.descriptor, timeout: limit)
    }

    private mutating func probe() throws(AMQPError) {
        if let askedAt {
            if askedAt + .seconds(10) > .now { return }
            throw .unresponsive(during: "look at the task queues")
        }
        guard state.detector.isProbeDue(at: .now) else { return }
        let numbers = tags.keys.sorted()
        probed = numbers.first { $0 >= probed } ?? numbers[0]
        try connection.askDepth(of: consumer.settings.queues[probed])
        askedAt = .now
    }

    private mutating func answered(_ depth: QueueDepth) throws(AMQPError) {
        askedAt = nil
        if state.detector.probed(ready: depth.ready, at: .now) {
            throw .stalled(ready: depth.ready)
        }
        // The same once more, where it looked as if something were wrong.
        if depth.ready == 0 { probed += 1 }
    }
}

extension Failure {
    fileprivate static let tooLarge = Failure(
        code: "MESSAGE_TOO_LARGE",
        reason: "a task's message is a few bytes; this one is none of ours"
    )
}
