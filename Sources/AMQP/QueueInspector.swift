/// Looks at queues on a connection of its own, without touching what is in them.
///
/// Stays with the thread that opened it, which looks at least once in every heartbeat.
package struct QueueInspector: ~Copyable {
    private let connection: Connection

    /// - Parameter timeout: upper bound on finding each host, and on the handshake.
    package init(at endpoint: Endpoint, timeout: Duration) throws(AMQPError) {
        let connection = try Connection.toAny(of: endpoint, timeout: timeout)
        try connection.openChannel()
        self.connection = connection
    }

    /// - Returns: nil when there is no such queue.
    package func depth(of queue: String) throws(AMQPError) -> QueueDepth? {
        // What came since the last look: heartbeats, or the broker's goodbye.
        while let frame = try connection.nextFrame() {
            if case .closed(let error) = frame { throw error }
        }
        do throws(AMQPError) {
            return try connection.depth(of: queue)
        } catch {
            if error.replyCode == ReplyCode.notFound { return nil }
            throw error
        }
    }

    package func close() throws(AMQPError) {
        try connection.close()
    }
}
