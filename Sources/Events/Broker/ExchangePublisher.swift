import AMQP
import Concurrency
import DequeModule
import Logging
import Messaging

/// Publishes to topic exchanges with confirms, on the thread that opened it, which asks for them.
/// What no queue is bound for is confirmed and gone: that is what a topic is.
///
/// An exchange is declared before the first message for it. After an error it is good for nothing,
/// and another one is to be opened.
package struct ExchangePublisher: ~Copyable {
    package struct Answers: Sendable {
        /// Numbers of confirms, and whether the broker has those messages.
        package var confirms: [(tag: UInt64, isTaken: Bool)] = []
        /// Why the broker takes no messages at all, since an alarm of it; nil where it does.
        package var alarm: String?
    }

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
    /// Those without an answer, oldest first.
    private var open: Deque<UInt64> = []
    private var alarm: String?

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

    /// Makes the exchanges that are missing. What is not confirmed by then will not be.
    package mutating func declare(_ exchanges: some Sequence<String>) throws(AMQPError) {
        for exchange in exchanges where !declared.contains(exchange) {
            if try connection.ensureExchange(exchange, type: "topic", logger: logger) {
                try connection.selectConfirms()
                (lastTag, open) = (0, [])
            }
            declared.insert(exchange)
        }
    }

    /// - Returns: the number of its confirm.
    package mutating func publish(_ outgoing: Outgoing) throws(AMQPError) -> UInt64 {
        try connection.publish(
            outgoing.message,
            exchange: outgoing.exchange,
            routingKey: outgoing.routingKey,
            mandatory: false
        )
        lastTag += 1
        open.append(lastTag)
        return lastTag
    }

    /// Takes what the broker has answered. To be called at least each second or two, for the sake
    /// of the connection.
    ///
    /// - Parameter limit: how long to wait for the first answer, or for an alarm to begin or end.
    package mutating func answers(within limit: Duration = .zero) throws(AMQPError) -> Answers {
        let deadline = ContinuousClock.now + limit
        let wasBlocked = alarm != nil
        var answers = Answers()
        while true {
            while let frame = try connection.nextFrame(during: "publish") {
                switch frame {
                case .closed(let error): throw error
                case .confirm(let tag, let isMultiple, let isAck):
                    answers.confirms += close(tag, isMultiple).map { ($0, isAck) }
                case .blocked(let reason): alarm = reason
                case .unblocked: alarm = nil
                case .delivery, .returned, .header, .body, .consumerCancelled, .depth, .other:
                    break
                }
            }
            let rest = ContinuousClock.now.duration(to: deadline)
            if !answers.confirms.isEmpty || wasBlocked != (alarm != nil) || rest <= .zero {
                answers.alarm = alarm
                return answers
            }
            bell.wait(orReadable: connection.descriptor, timeout: rest)
        }
    }

    /// - Parameter isMultiple: whether those before it are answered, too.
    private mutating func close(_ tag: UInt64, _ isMultiple: Bool) -> [UInt64] {
        if !isMultiple {
            guard let index = open.firstIndex(of: tag) else { return [] }
            open.remove(at: index)
            return [tag]
        }
        let closed = Array(open.prefix { $0 <= tag })
        open.removeFirst(closed.count)
        return closed
    }

    package func close() throws(AMQPError) {
        try connection.close(within: .milliseconds(500))
    }
}
