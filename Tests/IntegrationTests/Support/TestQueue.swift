import CRabbitMQ
import Testing
import WorkerRuntime

@testable import AMQP

/// A queue seen from outside.
struct TestQueue {
    let name: String
    let endpoint: Endpoint

    /// Messages ready for delivery.
    func ready() throws -> Int {
        let connection = try Connection(to: endpoint, timeout: .seconds(10))
        try connection.openChannel()
        return try connection.declareQueue(name, passive: true)
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
        let pairs = list.split(separator: "\n").map { $0.split(separator: "\t") }
        return Dictionary(
            uniqueKeysWithValues: pairs.compactMap { pair in
                pair.count == 2 ? (String(pair[0]), Int(pair[1]) ?? -1) : nil
            }
        )
    }

    /// Makes the queue as somebody else would have.
    func declare(_ arguments: [(String, HeaderValue)]) throws {
        let connection = try Connection(to: endpoint, timeout: .seconds(10))
        try connection.openChannel()
        try connection.declareQueue(name, passive: false, arguments: arguments)
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

    /// Whether somebody was given its first message before; takes it out.
    func isFirstRedelivered() throws -> Bool {
        let connection = try Connection(to: endpoint, timeout: .seconds(10))
        try connection.openChannel()
        try connection.limitPrefetch(to: 1)
        try connection.consume(from: name, tag: "first")
        var isRedelivered = false
        try eventually("a message comes") {
            guard case .delivery(let tag, let redelivered) = try connection.nextFrame() else {
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
