import CRabbitMQ
import Logging

extension Connection {
    package func declareExchange(_ name: String, type: String, passive: Bool) throws(AMQPError) {
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

    package func bind(queue: String, to exchange: String, routingKey: String) throws(AMQPError) {
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

    /// Declares an exchange where it is missing; one that is there is used as it is.
    ///
    /// - Returns: whether it was missing. Then the channel is a new one, without confirms.
    @discardableResult package func ensureExchange(
        _ name: String,
        type: String,
        logger: Logger
    ) throws(AMQPError) -> Bool {
        do throws(AMQPError) {
            try declareExchange(name, type: type, passive: true)
            return false
        } catch {
            guard error.replyCode == ReplyCode.notFound else { throw error }
            try declareExchange(name, type: type, passive: false)
            logger.notice("topology.exchange-declared", metadata: ["exchange": "\(name)"])
            return true
        }
    }

    /// Deletes a queue with all that is in it; one that does not exist is as good as deleted.
    func deleteQueue(_ name: String) throws(AMQPError) {
        try call("delete queue \(name)") { handle in
            var arena = Arena()
            return amqp_queue_delete(handle, Self.channel, arena.bytes(name), 0, 0)
        }
    }
}
