import CRabbitMQ
import Consuming
import Logging
import Messaging

// MARK: - Exchanges

extension Connection {
    func declareExchange(
        _ name: String,
        type: String = "direct",
        passive: Bool
    ) throws(AMQPError) {
        try call("declare exchange \(name)") { handle in
            var arena = Arena()
            return amqp_exchange_declare(
                handle,
                Self.channel,
                arena.bytes(name),
                arena.bytes(type),
                passive ? 1 : 0,
                1,
                0,
                0,
                amqp_table_t()
            )
        }
    }

    func bind(queue: String, to exchange: String, routingKey: String) throws(AMQPError) {
        try call("bind queue \(queue) to exchange \(exchange)") { handle in
            var arena = Arena()
            return amqp_queue_bind(
                handle,
                Self.channel,
                arena.bytes(queue),
                arena.bytes(exchange),
                arena.bytes(routingKey),
                amqp_table_t()
            )
        }
    }

    func deleteExchange(_ name: String) throws(AMQPError) {
        try call("delete exchange \(name)") { handle in
            var arena = Arena()
            return amqp_exchange_delete(handle, Self.channel, arena.bytes(name), 0)
        }
    }

    /// Declares a topic exchange where it is missing; one that is there is used as it is.
    func ensureTopicExchange(_ name: String, logger: Logger) throws(AMQPError) {
        do throws(AMQPError) {
            try declareExchange(name, passive: true)
        } catch {
            guard error.replyCode == ReplyCode.notFound else { throw error }
            try declareExchange(name, type: "topic", passive: false)
            logger.notice("topology.exchange-declared", metadata: ["exchange": "\(name)"])
        }
    }

    /// A queue for this connection alone, which ends with it.
    ///
    /// - Returns: the name that the broker has given it.
    func declareOwnQueue(arguments: [(String, HeaderValue)]) throws(AMQPError) -> String {
        try call("declare a queue") { handle in
            var arena = Arena()
            let made = amqp_queue_declare(
                handle,
                Self.channel,
                amqp_bytes_t(),
                0,
                0,
                1,
                1,
                arena.table(arguments.map { ($0, .scalar($1)) })
            )
            return made.map { String($0.pointee.queue) } ?? ""
        }
    }

    /// Consumes without acks: what is delivered is gone from the queue.
    func consumeWithoutAcks(from queue: String) throws(AMQPError) {
        try call("consume from queue \(queue)") { handle in
            var arena = Arena()
            return amqp_basic_consume(
                handle,
                Self.channel,
                arena.bytes(queue),
                amqp_bytes_t(),
                0,
                1,
                1,
                amqp_table_t()
            )
        }
    }
}
