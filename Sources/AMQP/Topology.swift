import Logging
import WorkerRuntime

/// The exchange and queues a worker needs:
///
///     exchange (direct) ── routing key ─▶ Q
///     Q.retry.<seconds>   fixed TTL, dead-letters back to Q
///     Q.dead
///
/// What exists is used as it is. Only what is missing is declared, and a queue of ours has no
/// arguments but those its job needs.
package struct Topology: Sendable {
    package var names: QueueNames
    package var exchange: String
    package var routingKey: String
    /// One delay queue for each.
    package var retrySeconds: [Int]

    package init(names: QueueNames, exchange: String, routingKey: String, retrySeconds: [Int]) {
        self.names = names
        self.exchange = exchange
        self.routingKey = routingKey
        self.retrySeconds = retrySeconds
    }

    package var queueNames: [String] { queues.map(\.name) }

    var queues: [(name: String, arguments: [(String, HeaderValue)])] {
        let retries = Set(retrySeconds).sorted().map { seconds in
            (
                names.retry(seconds: seconds),
                [
                    ("x-message-ttl", HeaderValue.integer(Int64(seconds) * 1000)),
                    ("x-dead-letter-exchange", .string("")),
                    ("x-dead-letter-routing-key", .string(names.main)),
                ]
            )
        }
        return [(names.main, []), (names.dead, [])] + retries
    }

    /// Makes what is missing. Every refusal is told apart from a fault of the connection:
    /// a missing queue that may not be declared throws, everything else goes on.
    func ensure(on connection: borrowing Connection, logger: Logger) throws(AMQPError) {
        for (name, arguments) in queues {
            if try exists({ () throws(AMQPError) in
                try connection.declareQueue(name, passive: true)
            }) {
                continue
            }
            try connection.declareQueue(name, passive: false, arguments: arguments)
            logger.notice("topology.queue-declared", metadata: ["queue": "\(name)"])
        }
        do {
            if !(try exists({ () throws(AMQPError) in
                try connection.declareDirectExchange(exchange, passive: true)
            })) {
                try connection.declareDirectExchange(exchange, passive: false)
                logger.notice("topology.exchange-declared", metadata: ["exchange": "\(exchange)"])
            }
            try connection.bind(queue: names.main, to: exchange, routingKey: routingKey)
        } catch {
            // Without the right to bind, the worker still gets what the default exchange brings.
            guard error.replyCode == ReplyCode.accessRefused else { throw error }
            logger.warning(
                "topology.binding-refused",
                metadata: ["exchange": "\(exchange)", "error": "\(error)"]
            )
        }
    }

    /// Says how the queues that exist differ from what Amity would have made. A passive declare
    /// does not show arguments; an active one that fails with 406 names the first difference.
    func reportDifferences(on connection: borrowing Connection, logger: Logger) throws(AMQPError) {
        for (name, arguments) in queues {
            do throws(AMQPError) {
                try connection.declareQueue(name, passive: false, arguments: arguments)
            } catch {
                switch error.replyCode {
                case ReplyCode.preconditionFailed:
                    logger.notice(
                        "topology.queue-used-as-it-is",
                        metadata: ["queue": "\(name)", "difference": "\(error)"]
                    )
                case ReplyCode.accessRefused:
                    continue  // Not allowed to declare, so not able to tell.
                case _:
                    throw error
                }
            }
        }
    }

    private func exists(
        _ passiveDeclare: () throws(AMQPError) -> Void
    ) throws(AMQPError) -> Bool {
        do throws(AMQPError) {
            try passiveDeclare()
            return true
        } catch {
            if error.replyCode == ReplyCode.notFound { return false }
            throw error
        }
    }
}

extension Topology {
    /// Makes what is missing on a connection of its own, for commands that do nothing else.
    package func ensure(at endpoint: Endpoint, logger: Logger) throws(AMQPError) {
        let connection = try Connection.toAny(of: endpoint)
        try connection.openChannel()
        try ensure(on: connection, logger: logger)
        try reportDifferences(on: connection, logger: logger)
        try connection.close()
    }

    /// Deletes all of it with every message in it: for a topology that was made for a trial.
    package func delete(at endpoint: Endpoint) throws(AMQPError) {
        let connection = try Connection.toAny(of: endpoint)
        try connection.openChannel()
        for (name, _) in queues { try connection.deleteQueue(name) }
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
