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
        /// The silence after which to ask whether the queue has messages that do not come.
        package var stallTimeout: Duration
        /// How long running work may take to finish once a drain has begun.
        package var drainTimeout: Duration

        package init(
            endpoint: Endpoint,
            topology: Topology,
            prefetch: UInt16,
            stallTimeout: Duration,
            drainTimeout: Duration
        ) {
            self.endpoint = endpoint
            self.topology = topology
            self.prefetch = prefetch
            self.stallTimeout = stallTimeout
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

    /// Performs what the machine says, until it says stop.
    private func run(_ dispatcher: Dispatcher) {
        var machine = ConsumerStateMachine(drainTimeout: settings.drainTimeout)
        var lostAt: ContinuousClock.Instant?
        var action = ConsumerStateMachine.Action.connect(after: .zero)
        while case .connect(let delay) = action {
            if drain.wait(for: delay) {
                action = machine.drainRequested(at: .now) ?? .stop
                continue
            }
            do throws(AMQPError) {
                let connection = try connect()
                machine.opened()
                logStart(of: machine.session, lostAt: lostAt)
                lostAt = nil
                try consume(on: connection, &machine, dispatcher)
                action = .stop
            } catch {
                // What has not begun is the broker's again, and would only be done twice.
                _ = dispatcher.withdraw()
                action = machine.sessionLost()
                // Named once on entry; what follows until the exit is for who looks closer.
                logLoss(
                    of: machine.session,
                    error,
                    next: action,
                    at: lostAt == nil ? .error : .debug
                )
                lostAt = lostAt ?? .now
            }
        }
        logger.notice("consumer.stopped")
    }

    private func connect() throws(AMQPError) -> Connection {
        let connection = try Connection(to: settings.endpoint, timeout: .seconds(10))
        try connection.openChannel()
        try settings.topology.ensure(on: connection, logger: logger)
        try settings.topology.reportDifferences(on: connection, logger: logger)
        try connection.limitPrefetch(to: settings.prefetch)
        try connection.consume(from: settings.topology.names.main, tag: Self.consumerTag)
        return connection
    }

    private static let consumerTag = "amity"

    /// The loop of one session: settle, receive, dispatch, sleep. Returns when the drain is over.
    private func consume(
        on connection: borrowing Connection,
        _ machine: inout ConsumerStateMachine,
        _ dispatcher: Dispatcher
    ) throws(AMQPError) {
        var assembler = MessageAssembler()
        var detector = StallDetector(timeout: settings.stallTimeout, at: .now)
        while true {
            if drain.isRaised, machine.drainRequested(at: .now) == .cancelConsumer {
                logger.notice(
                    "consumer.draining",
                    metadata: ["unsettled": .stringConvertible(machine.unsettled)]
                )
                try connection.cancelConsumer(tag: Self.consumerTag)
                giveBack(dispatcher.withdraw(), in: &machine)
            }
            for completion in completions.drain() where !machine.settled(completion) {
                // The broker has delivered it again since, and the database knows what is done.
                logger.info(
                    "consumer.stale-completion",
                    metadata: ["delivery": "\(completion.id)"]
                )
            }
            let arrived = try receive(from: connection, &assembler, &machine)
            if !arrived.isEmpty { detector.delivered(at: .now) }
            dispatcher.submit(arrived)
            for frame in machine.frames() { try connection.send(frame) }
            if case .close(let unfinished) = machine.turnEnded(at: .now) {
                return try close(connection, unfinished: unfinished)
            }
            let isFree = !drain.isRaised && machine.unsettled < Int(settings.prefetch)
            if isFree { try probe(&detector, on: connection) }
            // Half a heartbeat: the library services heartbeats only inside its calls.
            let heartbeat = connection.heartbeatSeconds
            let limit: Duration = heartbeat > 0 ? .seconds(heartbeat) / 2 : .seconds(5)
            bell.wait(
                orReadable: connection.descriptor,
                timeout: machine.longestSleep(
                    from: .now,
                    atMost: isFree ? min(limit, detector.wait(from: .now)) : limit
                )
            )
        }
    }

    /// Looks whether the queue has messages that this consumer is not given. It asks on the
    /// consumer's own channel, so an answer also proves that the channel lives; a queue that is gone
    /// closes it, and the next session makes it again.
    private func probe(
        _ detector: inout StallDetector,
        on connection: borrowing Connection
    ) throws(AMQPError) {
        guard detector.isProbeDue(at: .now) else { return }
        let ready = try connection.declareQueue(settings.topology.names.main, passive: true)
        if detector.probed(ready: ready, at: .now) { throw .stalled(ready: ready) }
        logger.debug("consumer.silent", metadata: ["ready": .stringConvertible(ready)])
    }

    /// Takes every frame that is there.
    ///
    /// - Returns: the deliveries that became whole and are to be worked on.
    private func receive(
        from connection: borrowing Connection,
        _ assembler: inout MessageAssembler,
        _ machine: inout ConsumerStateMachine
    ) throws(AMQPError) -> [Delivery] {
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
                guard
                    case .delivered(let tag, let redelivered, let message) =
                        try assembler.take(frame),
                    case .dispatch(let id) = machine.delivered(tag: tag)
                else { continue }
                arrived.append(
                    Delivery(id: id, message: message, redelivered: redelivered, receivedAt: .now)
                )
            }
        }
        return arrived
    }

    /// Gives back deliveries that have not begun, with the next frames.
    private func giveBack(_ deliveries: [Delivery], in machine: inout ConsumerStateMachine) {
        for delivery in deliveries {
            _ = machine.settled(Completion(id: delivery.id, settlement: .requeue))
        }
    }

    private func close(
        _ connection: borrowing Connection,
        unfinished: Int
    ) throws(AMQPError) {
        if unfinished > 0 {
            logger.warning(
                "consumer.drain-timed-out",
                metadata: ["unfinished": .stringConvertible(unfinished)]
            )
        }
        try connection.close()
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

    private func logLoss(
        of session: UInt64,
        _ error: AMQPError,
        next: ConsumerStateMachine.Action,
        at level: Logger.Level
    ) {
        var metadata: Logger.Metadata = [
            "error": "\(error)", "session": .stringConvertible(session),
        ]
        if case .connect(let delay) = next {
            metadata["retry_in_seconds"] = .stringConvertible(delay / .seconds(1))
        }
        logger.log(level: level, "consumer.connection-lost", metadata: metadata)
    }
}
