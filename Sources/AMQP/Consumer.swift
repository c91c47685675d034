import Foundation
import Logging
import WorkerRuntime

/// The channel thread: the only one that touches the consumer's connection.
///
/// It takes frames off the socket, hands whole deliveries to the dispatcher, and turns completions
/// from the mailbox into settlements. It never runs a handler, talks to the database, or waits for
/// anybody but the broker.
package final class Consumer: Sendable {
    package struct Settings: Sendable {
        package var endpoint: Endpoint
        package var topology: Topology
        /// Most deliveries unsettled at once, 1 to 65535.
        package var prefetch: UInt16
        /// How long running work may take to finish once a drain has begun.
        package var drainTimeout: Duration

        package init(
            endpoint: Endpoint,
            topology: Topology,
            prefetch: UInt16,
            drainTimeout: Duration
        ) {
            self.endpoint = endpoint
            self.topology = topology
            self.prefetch = prefetch
            self.drainTimeout = drainTimeout
        }
    }

    private let settings: Settings
    private let drain: DrainSignal
    private let bell = EventBell()
    private let logger: Logger
    /// Where settlements are posted, from any thread.
    package let completions: Mailbox<Completion>

    package init(settings: Settings, drain: DrainSignal, logger: Logger) {
        self.settings = settings
        self.drain = drain
        self.logger = logger
        completions = Mailbox(bell: bell)
    }

    /// Starts the channel thread.
    ///
    /// - Parameter onStopped: called on that thread when it has drained and closed.
    package func start(
        delivering dispatcher: Dispatcher,
        onStopped: @escaping @Sendable () -> Void
    ) {
        startThread(name: "amity-channel", stackBytes: Connection.stackBytes) {
            self.run(dispatcher)
            onStopped()
        }
    }

    /// Begins the drain. Returns at once.
    package func requestDrain() {
        drain.raise()
        bell.ring()
    }

    /// Sessions one after the other, until a drain ends the last.
    private func run(_ dispatcher: Dispatcher) {
        var backoff = Backoff()
        var session: UInt64 = 0
        var lostAt: ContinuousClock.Instant?
        while !drain.isRaised {
            session += 1
            do throws(AMQPError) {
                let connection = try connect()
                logStart(of: session, lostAt: lostAt)
                backoff.reset()
                lostAt = nil
                var channel = ChannelSession(
                    number: session,
                    connection: connection,
                    dispatcher: dispatcher
                )
                try consume(on: &channel)
            } catch {
                // Unsettled deliveries went back to the queue with the channel.
                _ = dispatcher.withdraw()
                lostAt = lostAt ?? .now
                let delay = backoff.next()
                logger.error(
                    "consumer.connection-lost",
                    metadata: [
                        "error": "\(error)", "session": .stringConvertible(session),
                        "retry_in_seconds": .stringConvertible(delay / .seconds(1)),
                    ]
                )
                drain.wait(for: delay)
            }
        }
    }

    private func logStart(of session: UInt64, lostAt: ContinuousClock.Instant?) {
        var metadata: Logger.Metadata = [
            "queue": "\(settings.topology.names.main)", "session": .stringConvertible(session),
        ]
        if let lostAt {
            metadata["downtime_seconds"] = .stringConvertible(
                lostAt.duration(to: .now) / .seconds(1)
            )
        }
        logger.notice("consumer.started", metadata: metadata)
    }

    private func connect() throws(AMQPError) -> Connection {
        let connection = try Connection(to: settings.endpoint, timeout: .seconds(10))
        try connection.openChannel()
        try settings.topology.ensure(on: connection, logger: logger)
        try settings.topology.reportDifferences(on: connection, logger: logger)
        try connection.limitPrefetch(to: settings.prefetch)
        try connection.consume(from: settings.topology.names.main, tag: ChannelSession.consumerTag)
        return connection
    }

    /// The loop: settle, receive, dispatch, sleep.
    private func consume(on channel: inout ChannelSession) throws(AMQPError) {
        var deadline: ContinuousClock.Instant?
        while true {
            if drain.isRaised, deadline == nil {
                deadline = .now + settings.drainTimeout
                try channel.beginDrain()
                logger.notice(
                    "consumer.draining",
                    metadata: ["running": .stringConvertible(channel.unsettled)]
                )
            }
            try channel.settle(completions.drain(), logger: logger)
            try channel.receive(logger: logger)
            if let deadline, channel.unsettled == 0 || deadline <= .now {
                return try finish(&channel)
            }
            let limit = channel.longestSleep(until: deadline)
            bell.wait(orReadable: channel.connection.descriptor, timeout: limit)
        }
    }

    private func finish(_ channel: inout ChannelSession) throws(AMQPError) {
        if channel.unsettled > 0 {
            logger.warning(
                "consumer.drain-timed-out",
                metadata: ["unfinished": .stringConvertible(channel.unsettled)]
            )
        }
        try channel.connection.close()
        logger.notice("consumer.stopped")
    }
}

/// One connection's worth of consuming, on the channel thread's stack.
private struct ChannelSession: ~Copyable {
    static let consumerTag = "amity"

    let connection: Connection
    private let dispatcher: Dispatcher
    private var assembler = MessageAssembler()
    private var ledger: SettlementLedger
    private var isDraining = false

    init(number: UInt64, connection: consuming Connection, dispatcher: Dispatcher) {
        self.connection = connection
        self.dispatcher = dispatcher
        ledger = SettlementLedger(session: number)
    }

    var unsettled: Int { ledger.unsettled }

    /// Stops deliveries, and gives back those that have not begun.
    mutating func beginDrain() throws(AMQPError) {
        isDraining = true
        try connection.cancelConsumer(tag: Self.consumerTag)
        try requeue(dispatcher.withdraw())
    }

    mutating func settle(_ completions: [Completion], logger: Logger) throws(AMQPError) {
        for completion in completions where !ledger.settle(completion) {
            // The broker has delivered it again since, and the database knows what is done.
            logger.info("consumer.stale-completion", metadata: ["delivery": "\(completion.id)"])
        }
        try sendFrames()
    }

    /// Takes every frame that is there, then hands over what became whole.
    mutating func receive(logger: Logger) throws(AMQPError) {
        var arrived: [Delivery] = []
        while let frame = try connection.nextFrame() {
            switch frame {
            case .closed(let error):
                throw error
            case .consumerCancelled:
                throw .consumerCancelled
            case .blocked(let reason):
                logger.warning("consumer.blocked", metadata: ["reason": "\(reason)"])
            case .unblocked:
                logger.notice("consumer.unblocked")
            case .delivery, .returned, .header, .body, .confirm, .other:
                if let delivery = try delivery(completedBy: frame) { arrived.append(delivery) }
            }
        }
        if arrived.isEmpty { return }
        if isDraining { return try requeue(arrived) }
        dispatcher.submit(arrived)
    }

    /// Half a heartbeat: the library services heartbeats only inside its calls.
    func longestSleep(until deadline: ContinuousClock.Instant?) -> Duration {
        let heartbeat = connection.heartbeatSeconds
        let limit: Duration = heartbeat > 0 ? .seconds(heartbeat) / 2 : .seconds(5)
        return deadline.map { min(limit, ContinuousClock.now.duration(to: $0)) } ?? limit
    }

    private mutating func delivery(completedBy frame: Frame) throws(AMQPError) -> Delivery? {
        guard case .delivered(let tag, let redelivered, let message) = try assembler.take(frame)
        else { return nil }
        ledger.delivered(tag: tag)
        return Delivery(
            id: DeliveryID(session: ledger.session, tag: tag),
            message: message,
            redelivered: redelivered,
            receivedAt: .now
        )
    }

    private mutating func requeue(_ deliveries: [Delivery]) throws(AMQPError) {
        for delivery in deliveries {
            _ = ledger.settle(.init(id: delivery.id, settlement: .requeue))
        }
        try sendFrames()
    }

    private mutating func sendFrames() throws(AMQPError) {
        for frame in ledger.frames() { try connection.send(frame) }
    }
}
