import CRabbitMQ

// Exchanges, bindings, and the end of queues.

extension Connection {
    package func declareDirectExchange(_ name: String, passive: Bool) throws(AMQPError) {
        try call("declare exchange \(name)") { handle in
            var arena = Arena()
            return amqp_exchange_declare(
                handle,
                Self.channel,
                arena.bytes(name),
                arena.bytes("direct"),
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

    /// Deletes a queue with all that is in it; one that does not exist is as good as deleted.
    func deleteQueue(_ name: String) throws(AMQPError) {
        try call("delete queue \(name)") { handle in
            var arena = Arena()
            return amqp_queue_delete(handle, Self.channel, arena.bytes(name), 0, 0)
        }
    }

    func deleteExchange(_ name: String) throws(AMQPError) {
        try call("delete exchange \(name)") { handle in
            var arena = Arena()
            return amqp_exchange_delete(handle, Self.channel, arena.bytes(name), 0)
        }
    }
}
