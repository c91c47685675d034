import AMQP
import Concurrency
import Logging
import Messaging

/// Publishes to topic exchanges with confirms, on the thread that opened it, which waits for them.
/// What no queue is bound for is confirmed and gone: that is what a topic is.
///
/// An exchange is declared before the first message for it. After an error it is good for nothing,
/// and another one is to be opened.
package struct ExchangePublisher: ~Copyable {
    package struct Outgoing: Sendable {
        package var message: Message
        package var exchange: String
        package var routingKey: String

        package init(_ message: Message, exchange: String, routingKey: String) {
            self.message = message
            self.exchange = exchange
            self.routingKey = routingKey
        }
    }

    private let connection: Connection
    private let bell = EventBell()
    private let logger: Logger
    private var declared: Set<String> = []
    /// Confirms number the messages of a channel, from 1 on.
    private var lastTag: UInt64 = 0

    /// - Parameters:
    ///   - attempt: which of the endpoint's hosts to try, counted on and on.
    ///   - drain: ends the wait for a connection.
    package init(
        to endpoint: Endpoint,
        attempt: Int,
        until drain: DrainSignal,
        logger: Logger
    ) throws(AMQPError) {
        let connection = try Connection(
            to: endpoint,
            attempt: attempt,
            timeout: .seconds(5),
            until: drain
        )
        try connection.openChannel()
        try connection.selectConfirms()
        self.connection = connection
        self.logger = logger
    }

    /// Makes an exchange that is missing, for a command that does nothing else.
    package static func ensure(
        _ exchange: String,
        at endpoint: Endpoint,
        logger: Logger
    ) throws(AMQPError) {
        let connection = try Connection.toAny(of: endpoint)
        try connection.openChannel()
        try connection.ensureExchange(exchange, type: "topic", logger: logger)
        try connection.close()
    }

    /// Makes the exchanges that are missing.
    package mutating func declare(_ exchanges: some Sequence<String>) throws(AMQPError) {
        for exchange in exchanges where !declared.contains(exchange) {
            try connection.ensureExchange(exchange, type: "topic", logger: logger)
            declared.insert(exchange)
        }
    }

    /// Publishes in order, and waits for the confirms.
    ///
    /// - Returns: for each whether the broker has it.
    /// - Throws: `unresponsive` where one is not answered in time; `closedByBroker` with 404 where
    ///   an exchange is gone.
    package mutating func publish(
        _ outgoing: [Outgoing],
        by deadline: ContinuousClock.Instant
    ) throws(AMQPError) -> [Bool] {
        for one in outgoing {
            try connection.publish(
                one.message,
                exchange: one.exchange,
                routingKey: one.routingKey,
                mandatory: false
            )
        }
        var answers = [Bool?](repeating: nil, count: outgoing.count)
        var open = outgoing.count
        while open > 0 {
            while let frame = try connection.nextFrame(during: "publish") {
                switch frame {
                case .closed(let error): throw error
                case .confirm(let tag, let multiple, let isAck):
                    let last = Int(clamping: tag) - Int(lastTag) - 1
                    guard answers.indices.contains(last) else { break }
                    for index in (multiple ? 0 : last)...last where answers[index] == nil {
                        answers[index] = isAck
                        open -= 1
                    }
                case .delivery, .returned, .header, .body, .consumerCancelled, .blocked,
                    .unblocked, .depth, .other:
                    break
                }
            }
            if open == 0 { break }
            let rest = ContinuousClock.now.duration(to: deadline)
            if rest <= .zero { throw .unresponsive(during: "wait for a confirm") }
            bell.wait(orReadable: connection.descriptor, timeout: rest)
        }
        lastTag += UInt64(outgoing.count)
        return answers.map { $0 ?? false }
    }

    /// Keeps the connection while nothing is published: to be called at least each second or two.
    package func keepAlive() throws(AMQPError) {
        while let frame = try connection.nextFrame(during: "publish") {
            if case .closed(let error) = frame { throw error }
        }
    }

    package func close() throws(AMQPError) {
        try connection.close(within: .milliseconds(500))
    }
}
