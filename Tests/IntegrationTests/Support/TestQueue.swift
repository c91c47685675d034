import CRabbitMQ
import Concurrency
import Messaging
import TestSupport
import Testing

@testable import AMQP

/// A queue seen from outside.
struct TestQueue {
    let name: String
    let endpoint: Endpoint

    /// Messages ready for delivery; none when there is no such queue yet.
    func ready() throws -> Int {
        let connection = try Connection(to: endpoint, timeout: .seconds(10))
        try connection.openChannel()
        do throws(AMQPError) {
            return try connection.declareQueue(name, passive: true)
        } catch {
            if error.replyCode == ReplyCode.notFound { return 0 }
            throw error
        }
    }

    /// Whether nothing is in it, ready or delivered and not settled yet.
    func isDrained() throws -> Bool {
        if try ready() > 0 { return false }
        return try unsettled() == 0
    }

    /// Messages in it, ready or delivered and not settled yet; nil when there is no such queue.
    func unsettled() throws -> Int? { try Self.counts()[name] }

    /// The same of every queue of the broker.
    static func counts() throws -> [String: Int] {
        let list = try Servers.rabbitmqctl(
            "--quiet",
            "list_queues",
            "--no-table-headers",
            "name",
            "messages"
        )
        return counts(in: list)
    }

    /// - Parameter list: as rabbitmqctl prints it: name, tab, number.
    static func counts(in list: String) -> [String: Int] {
        let pairs = list.split(separator: "\n").map { $0.split(separator: "\t") }
        return Dictionary(
            uniqueKeysWithValues: pairs.compactMap { pair in
                pair.count == 2 ? (String(pair[0]), Int(pair[1]) ?? -1) : nil
            }
        )
    }

    /// Makes the queue as another client would have.
    func declare(_ arguments: [(String, HeaderValue)], durable: Bool = true) throws {
        let connection = try Connection(to: endpoint, timeout: .seconds(10))
        try connection.openChannel()
        try connection.declareQueue(
            name,
            passive: false,
            durable: durable,
            arguments: arguments
        )
    }

    /// Is another consumer of the queue, with one message in hand, while `body` runs.
    func whileHoldingOne(_ body: () throws -> Void) throws {
        let connection = try Connection(to: endpoint, timeout: .seconds(10))
        try connection.openChannel()
        try connection.limitPrefetch(to: 1)
        try connection.consume(from: name, tag: "holder")
        try eventually("a message to hold") {
            if case .body = try connection.nextFrame() { true } else { false }
        }
        try body()
        try connection.close()
    }

    /// Is another consumer of the queue while `body` runs.
    func whileConsuming(_ body: () throws -> Void) throws {
        let connection = try Connection(to: endpoint, timeout: .seconds(10))
        try connection.openChannel()
        try connection.consume(from: name, tag: "other")
        try body()
        try connection.close()
    }

    /// Whether its first message was delivered to a consumer before; takes the message out.
    func isFirstRedelivered() throws -> Bool {
        let connection = try Connection(to: endpoint, timeout: .seconds(10))
        try connection.openChannel()
        try connection.limitPrefetch(to: 1)
        try connection.consume(from: name, tag: "first")
        var isRedelivered = false
        try eventually("a message comes") {
            guard case .delivery(let tag, let redelivered, _) = try connection.nextFrame() else {
                return false
            }
            isRedelivered = redelivered
            try connection.send(.ack(tag: tag, multiple: false))
            return true
        }
        try connection.close()
        return isRedelivered
    }

    /// Puts a message in without making any queue that is missing, as a stranger would.
    func put(_ body: [UInt8]) throws {
        let connection = try Connection(to: endpoint, timeout: .seconds(10))
        try connection.openChannel()
        try connection.publish(Message(body: body), exchange: "", routingKey: name)
        try connection.close()
    }

    /// Takes messages out until `count` have come.
    func take(_ count: Int) throws -> [Message] {
        let connection = try Connection(to: endpoint, timeout: .seconds(10))
        try connection.openChannel()
        try connection.consume(from: name, tag: "test")
        var assembler = MessageAssembler()
        var messages: [Message] = []
        let bell = EventBell()
        try eventually("\(count) messages in \(name)") {
            bell.wait(orReadable: connection.descriptor, timeout: .milliseconds(50))
            while messages.count < count, let frame = try connection.nextFrame() {
                guard case .delivered(let tag, _, let message) = try assembler.take(frame)
                else { continue }
                messages.append(message)
                try connection.send(.ack(tag: tag, multiple: false))
            }
            return messages.count == count
        }
        try connection.close()
        return messages
    }
}

extension Message {
    /// A text header, empty when it is missing.
    func header(_ name: String) -> String {
        if case .string(let text) = properties.headers[name] { text } else { "" }
    }
}

extension TestQueue {
    func consumers() throws -> Int {
        let connection = try Connection(to: endpoint, timeout: .seconds(10))
        try connection.openChannel()
        return try connection.depth(of: name).consumers
    }

    /// Makes it as a client would that wants it gone with its last consumer.
    func declareAutoDelete() throws {
        try Servers.rabbitmqctl(
            "eval",
            """
            rabbit_amqqueue:declare(rabbit_misc:r(<<"/">>, queue, <<"\(name)">>), true, true,
                [], none, <<"test">>).
            """
        )
    }
}

extension Scene {
    /// Publishes an id through the exchange, declaring nothing.
    ///
    /// - Returns: whether it was routed to a queue.
    func putThroughTheExchange(_ id: String) throws -> Bool {
        let connection = try Connection(to: settings.endpoint, timeout: .seconds(10))
        try connection.openChannel()
        try connection.selectConfirms()
        try connection.publish(
            Message(body: Array(#"{"conversation_id":"\#(id)"}"#.utf8)),
            exchange: settings.topology.exchange,
            routingKey: settings.topology.routingKey
        )
        var isReturned = false
        var isAnswered = false
        try eventually("the broker's answer") {
            while let frame = try connection.nextFrame() {
                if case .returned = frame { isReturned = true }
                if case .confirm = frame { isAnswered = true }
            }
            return isAnswered
        }
        return !isReturned
    }
}
