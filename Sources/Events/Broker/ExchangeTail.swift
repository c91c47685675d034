import AMQP
import Concurrency
import Foundation
import Logging
import Messaging

/// What is published to a topic exchange from now on, in a queue of its own that ends with it; for
/// the thread that opened it.
package struct ExchangeTail: ~Copyable {
    private let connection: Connection
    private let bell = EventBell()
    private var assembler = MessageAssembler()

    /// Chosen: when its reader stands still the broker keeps the newest of so many.
    private static let longestQueue = 10_000

    /// - Parameter patterns: of routing keys, with `*` for a word and `#` for any number.
    package init(
        of exchange: String,
        matching patterns: [String],
        at endpoint: Endpoint,
        logger: Logger
    ) throws(AMQPError) {
        let connection = try Connection.toAny(of: endpoint)
        try connection.openChannel()
        try connection.ensureExchange(exchange, type: "topic", logger: logger)
        let queue = "\(exchange).tail.\(UUID().uuidString.lowercased())"
        try connection.declareQueue(
            queue,
            passive: false,
            durable: false,
            isOwn: true,
            arguments: [("x-max-length", .integer(Int64(Self.longestQueue)))]
        )
        for pattern in patterns {
            try connection.bind(queue: queue, to: exchange, routingKey: pattern)
        }
        try connection.consume(from: queue, tag: "amity-tail", acks: false)
        self.connection = connection
    }

    /// The next message.
    ///
    /// - Parameter limit: the longest wait; less than half a heartbeat.
    /// - Returns: nil where none has come.
    package mutating func next(within limit: Duration) throws(AMQPError) -> Message? {
        let deadline = ContinuousClock.now + limit
        while true {
            while let frame = try connection.nextFrame() {
                if case .closed(let error) = frame { throw error }
                if case .consumerCancelled = frame { throw .consumerCancelled }
                if case .delivered(_, _, let message) = try assembler.take(frame) {
                    return message
                }
            }
            let rest = ContinuousClock.now.duration(to: deadline)
            if rest <= .zero { return nil }
            bell.wait(orReadable: connection.descriptor, timeout: rest)
        }
    }

    package func close() throws(AMQPError) {
        try connection.close(within: .seconds(1))
    }
}
