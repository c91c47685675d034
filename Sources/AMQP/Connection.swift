import CRabbitMQ
import Concurrency
import Consuming
import Glibc
import Messaging

/// Sole owner of one librabbitmq connection, and of channel 1 on it.
///
/// It cannot be copied and is not Sendable, so it lives on the stack of the thread that opened it;
/// a precondition checks the thread in case other code gets round that rule.
package struct Connection: ~Copyable {
    private let handle: amqp_connection_state_t
    private let owner = pthread_self()
    let watch: Watchdog.Watch
    /// The longest that a call may take: then it fails.
    package var callLimit: Duration { watch.limit }
    /// Seconds, as negotiated; bounds how long the owner may stay away from the library.
    let heartbeatSeconds: Int

    /// How long the owner may stay away from the library: half a heartbeat, for it sends and checks
    /// heartbeats only inside its calls.
    package var longestSilence: Duration {
        heartbeatSeconds > 0 ? .seconds(heartbeatSeconds) / 2 : .seconds(5)
    }

    /// Stack of a thread that reads from a connection: librabbitmq before 0.14 recurses into nested
    /// header tables without a limit.
    package static let stackBytes = 16 << 20

    static let channel: amqp_channel_t = 1
    /// Chosen: a broker that does not answer a declaration in this time is not well.
    static let rpcTimeout: Duration = .seconds(10)

    /// Connects and logs in.
    ///
    /// - Parameters:
    ///   - attempt: which of the endpoint's hosts to try, counted on and on.
    ///   - timeout: upper bound on finding the host, on each address it has, and on the handshake.
    ///   - drain: ends the wait at once when it is raised.
    package init(
        to endpoint: Endpoint,
        attempt: Int = 0,
        timeout: Duration,
        until drain: DrainSignal = DrainSignal()
    ) throws(AMQPError) {
        let endpoint = try endpoint.current()
        let address = endpoint.addresses[attempt % endpoint.addresses.count]
        let opened = try Opening.open(endpoint, at: address, timeout: timeout, until: drain)
        handle = opened.handle
        heartbeatSeconds = opened.heartbeatSeconds
        watch = Watchdog.shared.watch(
            amqp_get_sockfd(handle),
            limit: max(Self.rpcTimeout, .seconds(2 * heartbeatSeconds)) + .seconds(5)
        )
    }

    deinit {
        Watchdog.shared.forget(watch)
        amqp_destroy_connection(handle)
    }
}

/// Stated explicitly, so that no later change makes it Sendable by accident.
@available(*, unavailable)
extension Connection: Sendable {}

// MARK: - Channel and topology

extension Connection {
    package func openChannel() throws(AMQPError) {
        try call("open a channel") { amqp_channel_open($0, Self.channel) }
    }

    /// Opens the channel again that the broker has closed, as a frame has told.
    func reopenChannel() throws(AMQPError) {
        try call("open a channel again") { _ in reopen() }
    }

    /// Puts a new channel in the place of one that works.
    func renewChannel() throws(AMQPError) {
        begin()
        defer { end() }
        let reply = amqp_channel_close(handle, Self.channel, AMQP_REPLY_SUCCESS)
        try AMQPError.check(reply, "close a channel")
        amqp_channel_open(handle, Self.channel)
        try checkReply("open a channel again")
    }

    package func limitPrefetch(to count: UInt16) throws(AMQPError) {
        try call("set the prefetch count") { amqp_basic_qos($0, Self.channel, 0, count, 0) }
    }

    package func consume(
        from queue: String,
        tag: String,
        acks: Bool = true,
        arguments: [(String, HeaderValue)] = []
    ) throws(AMQPError) {
        try call("consume from queue \(queue)") { handle in
            var arena = Arena()
            return amqp_basic_consume(
                handle,
                Self.channel,
                arena.bytes(queue),
                arena.bytes(tag),
                0,
                acks ? 0 : 1,
                0,
                arena.table(arguments.map { ($0, .scalar($1)) })
            )
        }
    }

    /// Stops deliveries, without waiting for an answer: a broker that gives none holds up no stop.
    /// Those under way still come.
    package func cancelConsumer(tag: String) throws(AMQPError) {
        begin()
        defer { end() }
        var arena = Arena()
        var cancel = amqp_basic_cancel_t(consumer_tag: arena.bytes(tag), nowait: 1)
        let status = amqp_send_method(handle, Self.channel, amity_basic_cancel, &cancel)
        try verify(status, "cancel the consumer")
    }

    /// Takes a message that is never acked; whatever comes of it, the connection is to be closed
    /// then.
    func getOne(from queue: String) throws(AMQPError) {
        begin()
        defer { end() }
        var arena = Arena()
        let reply = amqp_basic_get(handle, Self.channel, arena.bytes(queue), 0)
        try AMQPError.check(reply, "get from queue \(queue)")
    }

    package func selectConfirms() throws(AMQPError) {
        try call("switch on publisher confirms") { amqp_confirm_select($0, Self.channel) }
    }

    /// - Parameters:
    ///   - passive: only asks whether it exists; 404 when not.
    ///   - durable: whether it is to outlive the broker's stop.
    ///   - isOwn: whether it is for this connection alone, and ends with it.
    /// - Returns: messages ready in it.
    @discardableResult
    package func declareQueue(
        _ name: String,
        passive: Bool,
        durable: Bool = true,
        isOwn: Bool = false,
        arguments: [(String, HeaderValue)] = []
    ) throws(AMQPError) -> Int {
        try declare(name, passive: passive, durable: durable, isOwn: isOwn, arguments).ready
    }

    /// Asks how deep a queue is, without waiting: the answer comes as a frame, `.depth` or, when
    /// there is no such queue, `.closed`.
    package func askDepth(of queue: String) throws(AMQPError) {
        begin()
        defer { end() }
        var arena = Arena()
        var declare = amqp_queue_declare_t()
        declare.queue = arena.bytes(queue)
        declare.passive = 1
        let status = amqp_send_method(handle, Self.channel, amity_queue_declare, &declare)
        try verify(status, "look at queue \(queue)")
    }

    /// Looks at a queue without touching it; 404 when there is none.
    package func depth(of queue: String) throws(AMQPError) -> QueueDepth {
        try declare(queue, passive: true)
    }

    private func declare(
        _ name: String,
        passive: Bool,
        durable: Bool = true,
        isOwn: Bool = false,
        _ arguments: [(String, HeaderValue)] = []
    ) throws(AMQPError) -> QueueDepth {
        let depth = try call("declare queue \(name)") { handle in
            var arena = Arena()
            let ok = amqp_queue_declare(
                handle,
                Self.channel,
                arena.bytes(name),
                passive ? 1 : 0,
                durable ? 1 : 0,
                isOwn ? 1 : 0,
                0,
                arena.table(arguments.map { ($0, .scalar($1)) })
            )
            return ok.map {
                QueueDepth(
                    ready: Int($0.pointee.message_count),
                    consumers: Int($0.pointee.consumer_count)
                )
            }
        }
        return depth ?? QueueDepth(ready: 0, consumers: 0)
    }

    /// Closes the connection. Whatever is unsettled goes back to its queue.
    ///
    /// - Parameter limit: the longest wait for the broker's answer.
    package func close(within limit: Duration = rpcTimeout) throws(AMQPError) {
        begin()
        defer { end() }
        var rpcLimit = timeval(limit)
        amqp_set_rpc_timeout(handle, &rpcLimit)
        let reply = amqp_connection_close(handle, AMQP_REPLY_SUCCESS)
        do throws(AMQPError) {
            try AMQPError.check(reply, "close the connection")
        } catch { throw named(error, during: "close the connection") }
    }
}

// MARK: - Settling and publishing

extension Connection {
    func reject(_ tag: UInt64) throws(AMQPError) {
        begin()
        defer { end() }
        try verify(amqp_basic_reject(handle, Self.channel, tag, 0), "reject")
    }

    package func send(_ frame: SettlementLedger.Frame) throws(AMQPError) {
        begin()
        defer { end() }
        switch frame {
        case .ack(let tag, let multiple):
            try verify(amqp_basic_ack(handle, Self.channel, tag, multiple ? 1 : 0), "ack")
        case .requeue(let tag):
            try verify(amqp_basic_nack(handle, Self.channel, tag, 0, 1), "requeue")
        }
    }

    /// Publishes persistent.
    ///
    /// - Parameter mandatory: what no queue takes comes back as `.returned`.
    package func publish(
        _ message: Message,
        exchange: String,
        routingKey: String,
        mandatory: Bool = true
    ) throws(AMQPError) {
        begin()
        defer { end() }
        var arena = Arena()
        var properties = message.properties.encoded(
            in: &arena,
            frameMax: Int(amqp_get_frame_max(handle))
        )
        let (exchange, routingKey) = (arena.bytes(exchange), arena.bytes(routingKey))
        let status = message.body.withUnsafeBytes { body in
            amqp_basic_publish(
                handle,
                Self.channel,
                exchange,
                routingKey,
                mandatory ? 1 : 0,
                0,
                &properties,
                amqp_bytes_t(
                    len: body.count,
                    bytes: UnsafeMutableRawPointer(mutating: body.baseAddress)
                )
            )
        }
        try verify(status, "publish")
    }
}

// MARK: - Receiving

extension Connection {
    /// What the broker says of itself; nil where it does not.
    package func brokerProperty(_ name: String) -> String? {
        amqp_get_server_properties(handle).flatMap {
            [String: HeaderValue]($0.pointee)[name]?.shown
        }
    }

    /// The socket to poll. Only meaningful once `nextFrame` has answered nil: then nothing is left
    /// in the library, nor in OpenSSL, which takes one record at a time off the socket.
    package var descriptor: Int32 { amqp_get_sockfd(handle) }

    /// Takes one frame if one is there; never waits. Also services heartbeats, so the owner calls
    /// it at least every half heartbeat.
    ///
    /// - Parameter operation: what the connection is for, for the texts of errors.
    package func nextFrame(during operation: String = "consume") throws(AMQPError) -> Frame? {
        begin()
        defer { end() }
        var frame = amqp_frame_t()
        var noWait = timeval(tv_sec: 0, tv_usec: 0)
        let status = amqp_simple_wait_frame_noblock(handle, &frame, &noWait)
        if status == AMQP_STATUS_TIMEOUT.rawValue { return nil }
        try verify(status, operation)
        let copied = try Frame(copying: frame, during: operation)
        amqp_maybe_release_buffers(handle)
        return copied
    }
}

// MARK: - Replies

extension Connection {
    /// Before every use of the handle: the right thread, and not for ever.
    private func begin() {
        precondition(
            pthread_equal(owner, pthread_self()) != 0,
            "a connection is used only by the thread that opened it"
        )
        watch.begin()
    }

    private func end() { watch.end() }

    /// Makes one call that waits for the broker's reply, and checks the reply.
    @discardableResult
    func call<Value>(
        _ operation: String,
        _ body: (amqp_connection_state_t) -> Value
    ) throws(AMQPError) -> Value {
        begin()
        defer { end() }
        let value = body(handle)
        try checkReply(operation)
        return value
    }

    /// The library knows only that its socket has failed, not that the watchdog had it fail.
    private func named(_ error: AMQPError, during operation: String) -> AMQPError {
        watch.hasFired ? .unresponsive(during: operation) : error
    }

    private func verify(_ status: Int32, _ operation: String) throws(AMQPError) {
        do throws(AMQPError) {
            try AMQPError.check(status, operation)
        } catch { throw named(error, during: operation) }
    }

    /// Checks the last call. After a channel exception the channel is opened again, so that the
    /// caller may go on with the connection.
    private func checkReply(_ operation: String) throws(AMQPError) {
        let reply = amqp_get_rpc_reply(handle)
        do throws(AMQPError) {
            try AMQPError.check(reply, operation)
        } catch {
            if reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION,
                reply.reply.id == amity_channel_close
            {
                reopen()
            }
            throw named(error, during: operation)
        }
        amqp_maybe_release_buffers(handle)
    }

    private func reopen() {
        amity_send_channel_close_ok(handle, Self.channel)
        amqp_channel_open(handle, Self.channel)
    }
}
