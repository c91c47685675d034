import AMQP
import Concurrency
import Consuming
import Foundation
import Messaging

/// Goes once through a queue from its head, on the calling thread. What is not removed goes back to
/// its place when the pass is closed or its process dies; meanwhile no other consumer is given it.
///
/// Going back is not free on a quorum queue: each return counts as a delivery, and a message that
/// has more of them than the queue's delivery limit is dropped. So a caller asks each entry whether
/// it may go back (`mayReturn`), and removes the others once a copy of them is at the queue's tail.
/// The broker is allowed no more than `window` messages that have not been looked at, and those are
/// handed out by `stop`.
package struct QueuePass: ~Copyable {
    /// A message of the queue, named by its delivery tag for `remove`.
    package struct Entry: Sendable {
        package let tag: UInt64
        package let message: Message

        /// Whether it can go back without coming nearer to a limit than the first delivery brings
        /// it. Only a quorum queue counts, and only from the second delivery on.
        package var mayReturn: Bool {
            if case .integer(let count) = message.properties.headers[Self.deliveries] {
                count < 1
            } else {
                true
            }
        }

        private static let deliveries = "x-delivery-count"
    }

    /// Chosen: hides a round trip, and bounds what `stop` has to hand out.
    private static let window: UInt16 = 200

    private let connection: Connection
    private let queue: String
    private let bell = EventBell()
    private var assembler = MessageAssembler()
    /// Messages that were ready when the pass began and have not been taken yet. Looking only at
    /// these, it ends on a queue that others fill.
    private var left: Int
    /// Of the consumer that is open: each has a window of its own, so that any number can be held.
    private var consumers = 1
    private var firstTag: UInt64 = 1
    private var lastTag: UInt64 = 0
    private var held = 0
    private var frames = 0
    private var unsettled: Set<UInt64> = []
    /// Came while the caller waited for something else.
    private var arrived: [Entry] = []
    /// Messages that should be ready when all has gone back.
    private var expected: Int
    private var isStopped = false
    /// Whether no other consumer was there when it began.
    package let isAlone: Bool

    /// - Throws: `closedByBroker` with 404 when there is no such queue.
    package init(queue: String, at endpoint: Endpoint) throws(AMQPError) {
        let connection = try Connection.toAny(of: endpoint)
        try connection.openChannel()
        let depth = try connection.depth(of: queue)
        try connection.limitPrefetch(to: Self.window)
        try connection.consume(from: queue, tag: Self.tag(1))
        self.connection = connection
        self.queue = queue
        left = depth.ready
        expected = depth.ready
        isAlone = depth.consumers == 0
    }

    private static func tag(_ consumer: Int) -> String { "amity-pass-\(consumer)" }

    /// Opens another window. What is held stays with the channel.
    private mutating func consumeAnew() throws(AMQPError) {
        try connection.cancelConsumer(tag: Self.tag(consumers))
        consumers += 1
        firstTag = lastTag + 1
        held = 0
        try connection.consume(from: queue, tag: Self.tag(consumers))
    }

    /// The next message, nil after the last.
    ///
    /// - Parameter patience: how long the broker may take to deliver it.
    package mutating func next(within patience: Duration = .seconds(2)) throws(AMQPError) -> Entry?
    {
        var deadline = ContinuousClock.now + patience
        while left > 0, !isStopped {
            let before = frames
            if let entry = try take() {
                left -= 1
                return entry
            }
            // A large one may take longer as a whole.
            if frames != before { deadline = .now + patience }
            // All that this consumer may hold has been looked at.
            if held == Self.window {
                try consumeAnew()
                continue
            }
            let rest = ContinuousClock.now.duration(to: deadline)
            // Another consumer has the rest.
            if rest <= .zero { return nil }
            bell.wait(orReadable: connection.descriptor, timeout: rest)
        }
        return nil
    }

    /// To be called at least every half heartbeat by a caller that takes its time over a message.
    package mutating func keepAlive() throws(AMQPError) {
        while let entry = try receive() { arrived.append(entry) }
    }

    /// The next message that has arrived; nil when none has. Never waits.
    private mutating func take() throws(AMQPError) -> Entry? {
        arrived.isEmpty ? try receive() : arrived.removeFirst()
    }

    private mutating func receive() throws(AMQPError) -> Entry? {
        while let frame = try connection.nextFrame() {
            frames += 1
            if case .closed(let error) = frame { throw error }
            if case .consumerCancelled = frame { throw .consumerCancelled }
            if case .delivered(let tag, _, let message) = try assembler.take(frame) {
                held += 1
                lastTag = tag
                unsettled.insert(tag)
                return Entry(tag: tag, message: message)
            }
        }
        return nil
    }

    /// Messages that were ready when the pass began and have not come: after the last, those that
    /// another consumer holds.
    package var unseen: Int { left }

    /// Takes a message out of the queue for good.
    ///
    /// - Parameter hasCopy: whether a copy of it is in the queue.
    package mutating func remove(_ entry: Entry, hasCopy: Bool = false) throws(AMQPError) {
        if entry.tag >= firstTag { held -= 1 }
        if !hasCopy { expected -= 1 }
        unsettled.remove(entry.tag)
        try connection.send(.ack(tag: entry.tag, multiple: false))
    }

    /// Ends the deliveries.
    ///
    /// - Returns: what had been delivered and not looked at, and may not return.
    package mutating func stop() throws(AMQPError) -> [Entry] {
        if isStopped { return [] }
        isStopped = true
        var rest = try waitForAllUnderWay()
        try connection.cancelConsumer(tag: Self.tag(consumers))
        // With this answer all has come that was sent before the cancel.
        _ = try connection.depth(of: queue)
        while let entry = try take() { Self.keep(entry, in: &rest) }
        return rest
    }

    /// Bodies may be large, and only those are needed of which a copy is to be made.
    private static func keep(_ entry: Entry, in rest: inout [Entry]) {
        if !entry.mayReturn { rest.append(entry) }
    }

    /// What a quorum queue has sent and its channel has not passed on is returned to the queue when
    /// the consumer is cancelled, and that counts as a delivery. So nothing may be under way then:
    /// the window is full, or the queue has nothing to send.
    private mutating func waitForAllUnderWay() throws(AMQPError) -> [Entry] {
        var rest: [Entry] = []
        let deadline = ContinuousClock.now + .seconds(2)
        var arrivedAt = ContinuousClock.now
        while held < Self.window, .now < deadline {
            if let entry = try take() {
                Self.keep(entry, in: &rest)
                arrivedAt = .now
            } else if arrivedAt + .milliseconds(100) > .now {
                bell.wait(orReadable: connection.descriptor, timeout: .milliseconds(20))
            } else if try connection.depth(of: queue).ready == 0,
                !isAlone || unsettled.count >= expected
            {
                break
            } else {
                arrivedAt = .now
            }
        }
        return rest
    }

    /// Gives back what was not removed, and waits until the queue has it: the next one who looks
    /// must not find less.
    package mutating func close() throws(AMQPError) {
        _ = try stop()
        // In their old order.
        for tag in unsettled.sorted() { try connection.send(.requeue(tag: tag)) }
        // Chosen: the queue takes milliseconds, and where another consumer is there this never
        // comes true.
        let deadline = ContinuousClock.now + .seconds(2)
        while try connection.depth(of: queue).ready < expected, .now < deadline {
            Thread.sleep(forTimeInterval: 0.02)
        }
        try connection.close()
    }
}

/// What a broker says of a queue when it is asked for it.
package enum QueuePresence: Sendable, Equatable {
    case there(QueueDepth)
    case missing
    /// It cannot be asked: it is on a node that does not run, or the broker is away.
    case away(String)

    /// Asks on a connection that lasts as long as the question.
    package init(of queue: String, at endpoint: Endpoint) throws(AMQPError) {
        let connection = try Connection.toAny(of: endpoint)
        try connection.openChannel()
        let depth: QueueDepth
        do throws(AMQPError) {
            depth = try connection.depth(of: queue)
        } catch {
            guard error.replyCode == ReplyCode.notFound else { throw error }
            self = error.isQueueMissing ? .missing : .away("\(error)")
            return
        }
        self = .there(depth)
        try connection.close()
    }

    package var depth: QueueDepth? {
        if case .there(let depth) = self { depth } else { nil }
    }

    /// Whether a message that was in the queue is there no longer. One that a consumer holds may
    /// come back.
    package var holdsNothing: Bool {
        switch self {
        case .there(let depth): depth.ready == 0 && depth.consumers == 0
        case .missing: true
        case .away: false
        }
    }
}
