import AMQP
import Concurrency
import Foundation
import Messaging

/// What AMQP tells of a broker to a client that changes nothing there.
package struct BrokerSnapshot: Sendable {
    /// One of the endpoint's addresses.
    package struct Node: Sendable {
        package var address: Endpoint.Address
        package var version: String?
        /// nil where it let us in.
        package var failure: AMQPError?

        package init(
            address: Endpoint.Address,
            version: String? = nil,
            failure: AMQPError? = nil
        ) {
            self.address = address
            self.version = version
            self.failure = failure
        }
    }

    package enum Presence: Sendable, Equatable {
        case exists(QueueDepth)
        case missing
        /// It is there, on a node that is down; its name where the broker gives it.
        case away(node: String?)
        /// Why it cannot be told.
        case unknown(String)
    }

    /// How a queue compares with what Amity would have made.
    package enum Likeness: Sendable, Equatable {
        case same
        /// The first argument that differs, in the broker's words.
        case differs(String)
        /// This user may not declare it, and so not ask.
        case unknown
    }

    package struct Queue: Sendable {
        package var name: String
        package var presence: Presence
        package var likeness = Likeness.unknown

        package init(name: String, presence: Presence, likeness: Likeness = .unknown) {
            self.name = name
            self.presence = presence
            self.likeness = likeness
        }
    }

    package enum Permission: Sendable, Equatable {
        case granted
        case refused
        case unknown(String)
    }

    package var nodes: [Node] = []
    /// In the topology's order: the main queue, the dead letters, the delays. Empty where no node
    /// let us in.
    package var queues: [Queue] = []
    package var exchange: Presence?
    /// To consume from the main queue.
    package var reading: Permission?
    /// To publish to queues by their names.
    package var publishing: Permission?
    /// Why the broker takes no messages, in its words; nil where it does.
    package var alarm: String?

    package init() {}
}

extension BrokerSnapshot {
    /// Looks at every address, then through the first that answers. Blocks the calling thread, for
    /// ten seconds an address at most.
    package init(of endpoint: Endpoint, expecting topology: Topology) {
        for (attempt, address) in endpoint.addresses.enumerated() {
            var node = Node(address: address)
            defer { nodes.append(node) }
            do throws(AMQPError) {
                let connection = try Connection(
                    to: endpoint,
                    attempt: attempt,
                    timeout: .seconds(10)
                )
                node.version = connection.brokerProperty("version")
                if queues.isEmpty { try look(through: connection, for: topology) }
                // A broker that takes nothing would not answer a goodbye either, for ten seconds.
                if alarm != nil { continue }
                if case .unknown = publishing { continue }
                try connection.close()
            } catch { node.failure = error }
        }
    }

    private mutating func look(
        through connection: borrowing Connection,
        for topology: Topology
    ) throws(AMQPError) {
        try connection.openChannel()
        for queue in topology.queues {
            queues.append(try self.queue(queue.name, queue.arguments, through: connection))
        }
        exchange = try Self.presence { () throws(AMQPError) in
            try connection.declareExchange(topology.exchange, type: "direct", passive: true)
            return QueueDepth(ready: 0, consumers: 0)
        }
        if case .exists = queues.first?.presence {
            reading = try readingPermission(of: topology.names.main, through: connection)
        }
        publishing = try publishingPermission(through: connection)
    }

    /// An active declare of a queue that exists changes nothing, and its refusal names the first
    /// argument that differs. Where it is forbidden, AMQP does not tell.
    private func queue(
        _ name: String,
        _ arguments: [(String, HeaderValue)],
        through connection: borrowing Connection
    ) throws(AMQPError) -> Queue {
        var queue = Queue(
            name: name,
            presence: try Self.presence { () throws(AMQPError) in try connection.depth(of: name) }
        )
        guard case .exists = queue.presence else { return queue }
        do throws(AMQPError) {
            try connection.declareQueue(name, passive: false, arguments: arguments)
            queue.likeness = .same
        } catch {
            switch error {
            case .closedByBroker(ReplyCode.preconditionFailed, let text, _):
                queue.likeness = .differs(text)
            case .closedByBroker(ReplyCode.accessRefused, _, _):
                break
            case _:
                throw error
            }
        }
        return queue
    }

    private static func presence(
        _ ask: () throws(AMQPError) -> QueueDepth
    ) throws(AMQPError) -> Presence {
        do throws(AMQPError) {
            return .exists(try ask())
        } catch {
            switch error {
            case .closedByBroker(ReplyCode.notFound, let text, _):
                return absence(text)
            case .closedByBroker(_, let text, _) where !error.endsConnection: return .unknown(text)
            case _: throw error
            }
        }
    }

    /// Asks to consume on terms that no broker accepts: it looks at the permission first.
    private func readingPermission(
        of queue: String,
        through connection: borrowing Connection
    ) throws(AMQPError) -> Permission {
        do throws(AMQPError) {
            try connection.consume(
                from: queue,
                tag: "amity-doctor",
                arguments: [("x-priority", .string("none"))]
            )
            try connection.cancelConsumer(tag: "amity-doctor")
            return .granted
        } catch {
            switch error.replyCode {
            case ReplyCode.preconditionFailed: return .granted
            case ReplyCode.accessRefused: return .refused
            case _: throw error
            }
        }
    }

    /// A 404 also stands for a queue whose node is down.
    package static func absence(_ text: String) -> Presence {
        guard text.contains("is down or inaccessible") else { return .missing }
        return .away(node: text.firstMatch(of: /home node '([^']*)'/).map { String($0.1) })
    }

    /// Publishes to a queue that does not exist, and waits for what comes back. A broker with an
    /// alarm says so to who publishes.
    private mutating func publishingPermission(
        through connection: borrowing Connection
    ) throws(AMQPError) -> Permission {
        try connection.publish(
            Message(body: []),
            exchange: "",
            routingKey: "amity-doctor-\(UUID().uuidString)"
        )
        let bell = EventBell()
        var answer: Permission?
        var deadline = ContinuousClock.now + .seconds(5)
        while ContinuousClock.now < deadline {
            while let frame = try connection.nextFrame() {
                switch frame {
                case .returned: answer = .granted
                case .closed(let error) where error.replyCode == ReplyCode.accessRefused:
                    answer = .refused
                case .closed(let error): throw error
                case .blocked(let reason): alarm = reason
                case .delivery, .header, .body, .confirm, .unblocked, .consumerCancelled, .depth,
                    .other:
                    continue
                }
                if alarm != nil { return answer ?? .unknown("the broker takes nothing") }
                // The word of an alarm may come just behind the answer.
                if answer != nil { deadline = min(deadline, .now + .milliseconds(300)) }
            }
            bell.wait(
                orReadable: connection.descriptor,
                timeout: ContinuousClock.now.duration(to: deadline)
            )
        }
        return answer ?? .unknown("the broker has not answered")
    }
}

extension AMQPError {
    /// Whether the broker ended more than a channel: its codes for that are 320 and those from 501
    /// on.
    fileprivate var endsConnection: Bool { replyCode.map { $0 == 320 || $0 >= 501 } ?? true }
}
