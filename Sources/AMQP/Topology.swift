import Concurrency
import Logging
import Messaging

/// What kind of queues Amity declares.
package enum QueueType: String, Sendable, CaseIterable {
    /// One node has it; it is away while that node is.
    case classic
    /// Several nodes have it; it survives the loss of the lesser part of them.
    case quorum
}

/// The exchange and queues a worker uses:
///
///     exchange (direct) ── routing key ─▶ Q
///     Q.retry.<seconds>   fixed TTL, dead-letters back to Q
///     Q.dead
///
/// What exists is used as it is. Only what is missing is declared, and a queue of ours has no
/// arguments but those its job needs. Consuming needs Q and nothing else; the rest is needed by the
/// copies that go there, and by publishers that use the exchange.
package struct Topology: Sendable {
    package struct Queue: Sendable {
        package var name: String
        package var arguments: [(String, HeaderValue)]
    }

    package var names: QueueNames
    package var exchange: String
    package var routingKey: String
    /// One delay queue for each.
    package var retrySeconds: [Int]
    package var queueType: QueueType

    package init(
        names: QueueNames,
        exchange: String,
        routingKey: String,
        retrySeconds: [Int],
        queueType: QueueType = .classic
    ) {
        self.names = names
        self.exchange = exchange
        self.routingKey = routingKey
        self.retrySeconds = retrySeconds
        self.queueType = queueType
    }

    package var queueNames: [String] { queues.map(\.name) }

    /// The main queue first.
    package var queues: [Queue] { [main] + helpers }

    package var main: Queue { queue(named: names.main) }

    /// A queue of ours that stands alone, of the same type.
    package func queue(named name: String) -> Queue { Queue(name: name, arguments: arguments) }

    /// Where copies go: the dead letters and the delays.
    var helpers: [Queue] {
        let retries = Set(retrySeconds).sorted().map { seconds in
            Queue(
                name: names.retry(seconds: seconds),
                arguments: [
                    ("x-message-ttl", HeaderValue.integer(Int64(seconds) * 1000)),
                    ("x-dead-letter-exchange", .string("")),
                    ("x-dead-letter-routing-key", .string(names.main)),
                ] + delayArguments
            )
        }
        return [queue(named: names.dead)] + retries
    }

    private static let quorum = ("x-queue-type", HeaderValue.string(QueueType.quorum.rawValue))

    /// None for classic queues: so Amity has always declared them, and with one they would differ.
    private var arguments: [(String, HeaderValue)] {
        switch queueType {
        case .classic: []
        case .quorum: [Self.quorum, ("x-delivery-limit", .integer(Self.deliveryLimit))]
        }
    }

    /// Beyond what drains, outages and looks into the queue can use up: at the limit the broker
    /// drops a message. RabbitMQ 4 has a limit of 20 where none is set, and takes -1 for none; to
    /// RabbitMQ 3 the same -1 means that no message may come back.
    package static let deliveryLimit: Int64 = 1_000_000_000

    /// A quorum queue drops what it dead-letters when the target does not take it, unless it is
    /// told to wait for the target's confirm. For that the broker demands reject-publish, from 3.10
    /// on. It needs no delivery limit: nothing comes back to it.
    private var delayArguments: [(String, HeaderValue)] {
        switch queueType {
        case .classic: []
        case .quorum:
            [
                Self.quorum, ("x-dead-letter-strategy", .string("at-least-once")),
                ("x-overflow", .string("reject-publish")),
            ]
        }
    }
}

// MARK: - One queue, exchange or binding

extension Topology {
    /// Declares a queue that is missing. One that is away, or locked, throws.
    ///
    /// - Returns: whether it was missing.
    @discardableResult
    package func ensure(
        _ queue: Queue,
        on connection: borrowing Connection,
        logger: Logger
    ) throws(AMQPError) -> Bool {
        do throws(AMQPError) {
            try connection.declareQueue(queue.name, passive: true)
            return false
        } catch {
            guard error.isQueueMissing else { throw error }
            try connection.declareQueue(queue.name, passive: false, arguments: queue.arguments)
            logger.notice("topology.queue-declared", metadata: ["queue": "\(queue.name)"])
            return true
        }
    }

    /// How a queue that exists differs from what Amity would have made, in the broker's words; nil
    /// when it does not, or when this user may not ask. A passive declare does not show arguments;
    /// an active one that fails with 406 names the first difference.
    func difference(
        of queue: Queue,
        durable: Bool = true,
        on connection: borrowing Connection
    ) throws(AMQPError) -> String? {
        do throws(AMQPError) {
            try connection.declareQueue(
                queue.name,
                passive: false,
                durable: durable,
                arguments: queue.arguments
            )
            return nil
        } catch {
            switch error {
            case .closedByBroker(ReplyCode.preconditionFailed, let text, _): return text
            case .closedByBroker(ReplyCode.accessRefused, _, _): return nil
            case _: throw error
            }
        }
    }

    /// What makes a queue unfit to be consumed from; nil where nothing does, or this user may not
    /// ask.
    ///
    /// - Parameter difference: as `difference(of:)` has told it.
    func defect(
        of queue: Queue,
        differing difference: String,
        on connection: borrowing Connection
    ) throws(AMQPError) -> QueueDefect? {
        if QueueDifference.queueType(in: difference) == "stream" { return .stream }
        if QueueDifference.differs("auto_delete", in: difference) { return .autoDelete }
        guard QueueDifference.differs("durable", in: difference) else { return nil }
        // The broker names the first difference alone; a second one may weigh more.
        let next = try self.difference(of: queue, durable: false, on: connection) ?? ""
        return QueueDifference.differs("auto_delete", in: next) ? .autoDelete : .notDurable
    }

    /// Declares the exchange where it is missing, and binds the main queue to it.
    func ensureBinding(
        on connection: borrowing Connection,
        logger: Logger
    ) throws(AMQPError) {
        try connection.ensureExchange(exchange, type: "direct", logger: logger)
        try connection.bind(queue: names.main, to: exchange, routingKey: routingKey)
    }

    /// Says, in one line, how a queue that exists differs from what Amity would have made.
    func log(_ difference: String, of queue: Queue, to logger: Logger) {
        logger.notice(
            "topology.queue-used-as-it-is",
            metadata: ["queue": "\(queue.name)", "difference": "\(difference)"]
        )
        guard let type = QueueDifference.queueType(in: difference), type != queueType.rawValue
        else { return }
        logger.warning(
            "topology.queue-type-differs",
            metadata: [
                "queue": "\(queue.name)", "type": "\(type)",
                "RABBITMQ_QUEUE_TYPE": "\(queueType.rawValue)",
            ]
        )
    }
}

extension AMQPError {
    /// Whether a queue exists, on a node that does not run.
    package var isAboutAQueueAway: Bool {
        if case .closedByBroker(ReplyCode.notFound, let text, _) = self {
            Self.isAway(text)
        } else {
            false
        }
    }
}

// MARK: - On a connection of its own

extension Topology {
    /// Makes all that is missing, for commands that do nothing else. What cannot be made does not
    /// keep the rest from being made.
    ///
    /// - Throws: the first failure, at the end.
    package func ensure(at endpoint: Endpoint, logger: Logger) throws(AMQPError) {
        let connection = try Connection.toAny(of: endpoint)
        try connection.openChannel()
        var failure: AMQPError?
        for queue in queues {
            do throws(AMQPError) {
                try ensure(queue, on: connection, logger: logger)
                if let difference = try difference(of: queue, on: connection) {
                    log(difference, of: queue, to: logger)
                }
            } catch {
                guard error.sparesConnection else { throw error }
                failure = failure ?? error
            }
        }
        do throws(AMQPError) {
            try ensureBinding(on: connection, logger: logger)
        } catch {
            guard error.replyCode == ReplyCode.accessRefused else { throw error }
            // Without the right to bind, a worker still gets what the default exchange brings.
            logger.info(
                "topology.binding-refused",
                metadata: ["exchange": "\(exchange)", "error": "\(error)"]
            )
        }
        try connection.close()
        if let failure { throw failure }
    }

    /// Makes those queues that are missing; each stands alone. What cannot be made does not keep
    /// the rest from being made.
    ///
    /// - Throws: the first failure, at the end.
    package func ensure(
        queuesNamed names: [String],
        at endpoint: Endpoint,
        logger: Logger
    ) throws(AMQPError) {
        let connection = try Connection.toAny(of: endpoint)
        try connection.openChannel()
        var failure: AMQPError?
        for name in names {
            do throws(AMQPError) {
                try ensure(queue(named: name), on: connection, logger: logger)
            } catch {
                guard error.sparesConnection else { throw error }
                failure = failure ?? error
            }
        }
        try connection.close()
        if let failure { throw failure }
    }

    /// Makes what a publisher of conversations needs: the main queue, and the exchange with its
    /// binding.
    package func ensureMain(at endpoint: Endpoint, logger: Logger) throws(AMQPError) {
        let connection = try Connection.toAny(of: endpoint)
        try connection.openChannel()
        try ensureMain(on: connection, logger: logger)
        try connection.close()
    }

    /// The same on a connection that is there.
    func ensureMain(on connection: borrowing Connection, logger: Logger) throws(AMQPError) {
        try ensure(main, on: connection, logger: logger)
        do throws(AMQPError) {
            try ensureBinding(on: connection, logger: logger)
        } catch {
            guard error.replyCode == ReplyCode.accessRefused else { throw error }
            logger.debug(
                "topology.binding-refused",
                metadata: ["exchange": "\(exchange)", "error": "\(error)"]
            )
        }
    }

    /// Whether a queue is a stream, which refuses to give a single message. Any other one is given
    /// it back at once, as redelivered: to be asked only of a queue that gives nothing anyway.
    static func isStream(
        _ queue: String,
        at endpoint: Endpoint,
        until drain: DrainSignal
    ) throws(AMQPError) -> Bool {
        let connection = try Connection(to: endpoint, timeout: .seconds(5), until: drain)
        try connection.openChannel()
        do throws(AMQPError) {
            try connection.getOne(from: queue)
        } catch {
            guard error.replyCode == ReplyCode.notImplemented else { throw error }
            return true
        }
        try connection.close(within: .seconds(1))
        return false
    }

    /// Deletes all of it with every message in it: for a topology that was made for a trial.
    package func delete(
        andQueuesNamed others: [String] = [],
        at endpoint: Endpoint
    ) throws(AMQPError) {
        let connection = try Connection.toAny(of: endpoint)
        try connection.openChannel()
        for name in queues.map(\.name) + others { try connection.deleteQueue(name) }
        try connection.deleteExchange(exchange)
        try connection.close()
    }

    /// Messages ready in the queue, asked for on a connection of its own.
    package func ready(at endpoint: Endpoint) throws(AMQPError) -> Int {
        let connection = try Connection.toAny(of: endpoint)
        try connection.openChannel()
        let ready = try connection.declareQueue(names.main, passive: true)
        try connection.close()
        return ready
    }
}
