import AMQP
import Concurrency
import Consuming
import Foundation
import Messaging

/// Looks through a queue from its head without settling anything, on the calling thread.
///
/// What is not removed goes back to the queue, in its place, when the browser is closed or its
/// process dies. Meanwhile the broker delivers what it holds to no other consumer.
package struct QueueBrowser: ~Copyable {
    /// A message of the queue, named by its delivery tag for `remove`.
    package struct Entry: Sendable {
        package let tag: UInt64
        package let message: Message
    }

    private let connection: Connection
    private let bell = EventBell()
    private var assembler = MessageAssembler()
    /// Messages that were ready when the browser was opened and have not been taken yet. Looking
    /// only at these, it ends on a queue that others fill.
    private var left: Int

    /// - Throws: `closedByBroker` with 404 when there is no such queue.
    package init(queue: String, at endpoint: Endpoint) throws(AMQPError) {
        let connection = try Connection.toAny(of: endpoint)
        try connection.openChannel()
        let ready = try connection.declareQueue(queue, passive: true)
        try connection.consume(from: queue, tag: "amity-browser")
        self.connection = connection
        left = ready
    }

    /// The next message, nil after the last.
    ///
    /// - Parameter patience: how long the broker may take to deliver it.
    package mutating func next(
        within patience: Duration = .seconds(2)
    ) throws(AMQPError) -> Entry? {
        var deadline = ContinuousClock.now + patience
        while left > 0 {
            while let frame = try connection.nextFrame() {
                // A large one may take longer as a whole.
                deadline = .now + patience
                if case .closed(let error) = frame { throw error }
                if case .consumerCancelled = frame { throw .consumerCancelled }
                if case .delivered(let tag, _, let message) = try assembler.take(frame) {
                    left -= 1
                    return Entry(tag: tag, message: message)
                }
            }
            let rest = ContinuousClock.now.duration(to: deadline)
            // Another consumer holds the rest.
            if rest <= .zero { return nil }
            bell.wait(orReadable: connection.descriptor, timeout: rest)
        }
        return nil
    }

    /// Messages that were ready when the browser was opened and have not come: after the last,
    /// those that another consumer holds.
    package var unseen: Int { left }

    /// Takes a message out of the queue for good.
    package func remove(_ entry: Entry) throws(AMQPError) {
        try connection.send(.ack(tag: entry.tag, multiple: false))
    }

    /// Takes it and every message before it out of the queue for good.
    package func remove(upTo entry: Entry) throws(AMQPError) {
        try connection.send(.ack(tag: entry.tag, multiple: true))
    }

    package func close() throws(AMQPError) {
        try connection.close()
    }
}
