import Failpoints
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
        /// Bytes of the largest body that is handled.
        package var bodyLimit: Int
        /// The silence after which to ask whether the queue has messages that do not come.
        package var stallTimeout: Duration
        /// How long running work may take to finish once a drain has begun.
        package var drainTimeout: Duration

        package init(
            endpoint: Endpoint,
            topology: Topology,
            prefetch: UInt16,
            bodyLimit: Int,
            stallTimeout: Duration,
            drainTimeout: Duration
        ) {
            self.endpoint = endpoint
            self.topology = topology
            self.prefetch = prefetch
            self.bodyLimit = bodyLimit
            self.stallTimeout = stallTimeout
            self.drainTimeout = drainTimeout
        }
    }

    private let settings: Settings
    private let drain: DrainSignal
    private let readiness: Readiness
    private let health: LinkHealth
    private let pulse: Pulse
    private let metrics: WorkerMetrics
    private let reconnects: Reconnects
    private let bell = EventBell()
    private let counts: WorkerCounts
    private let logger: Logger
    /// Where settlements are posted, from any thread.
    package let completions: Mailbox<Completion>
    /// Whether messages are taken at all, for anybody to close and open.
    package let intake: Intake

    /// - Parameter pulse: the channel thread's.
    package init(
        settings: Settings,
        drain: DrainSignal,
        readiness: Readiness,
        health: LinkHealth = LinkHealth(),
        counts: WorkerCounts = WorkerCounts(),
        pulse: Pulse = Pulse(name: "channel"),
        metrics: WorkerMetrics = WorkerMetrics(),
        logger: Logger
    ) {
        self.settings = settings
        self.drain = drain
        self.readiness = readiness
        self.health = health
        self.counts = counts
        self.pulse = pulse
        self.metrics = metrics
        self.logger = logger
        reconnects = Reconnects(of: "consumer", in: metrics.factory)
        metrics.prefetch.record(Int(settings.prefetch))
        completions = Mailbox(bell: bell)
        intake = Intake(bell: bell)
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
        readiness.set(.draining, true)
        drain.raise()
        bell.ring()
    }

    /// Performs what the machine says, until it says stop.
    private func run(_ dispatcher: Dispatcher) {
        var machine = ConsumerStateMachine(drainTimeout: settings.drainTimeout)
        var detector = StallDetector(timeout: settings.stallTimeout, at: .now)
        var lostAt: ContinuousClock.Instant?
        var openedAt: ContinuousClock.Instant?
        var oversized: DeliveryID?
        var attempt = 0
        let times = SettlementTimes(metrics: metrics)
        var action = ConsumerStateMachine.Action.connect(after: .zero)
        while case .connect(let delay) = action {
            pulse.expect(within: delay + Self.connectLimit)
            if drain.wait(for: delay) {
                action = machine.drainRequested(at: .now) ?? .stop
                continue
            }
            do throws(AMQPError) {
                defer { attempt += 1 }
                let connection = try connect(attempt: attempt)
                let isIntakeOpen = intake.isOpen
                if isIntakeOpen { try startConsuming(on: connection) }
                machine.opened(isIntakeOpen: isIntakeOpen)
                detector.restarted(at: .now)
                logStart(of: machine.session, at: attempt, lostAt: lostAt)
                lostAt = nil
                openedAt = .now
                health.works(.consumer)
                readiness.set(.notConsuming, false)
                times.sessionOpened()
                counts.sessionOpened()
                var memory = Memory(times: times)
                try consume(
                    on: connection,
                    &memory,
                    &machine,
                    &detector,
                    &oversized,
                    dispatcher
                )
                action = .stop
            } catch {
                readiness.set(.notConsuming, true)
                counts.sessionLost()
                reconnects.count(error)
                metrics.inFlight.record(0)
                // Once is repaired; again is for somebody to look at.
                readiness.set(.stalled, detector.stalls > 1)
                // What has not begun is the broker's again, and would only be done twice.
                _ = dispatcher.withdraw()
                action = machine.sessionLost(
                    after: openedAt.take().map { $0.duration(to: .now) } ?? .zero
                )
                let notice = health.failed(error.problem(of: .consumer))
                logLoss(
                    of: machine.session,
                    error,
                    next: action,
                    at: notice.isLogged ? .error : .debug
                )
                lostAt = lostAt ?? .now
            }
        }
        pulse.end()
        readiness.set(.notConsuming, true)
        counts.sessionLost()
        logger.notice("consumer.stopped", metadata: times.summary)
    }

    /// Opens a session on the next of the endpoint's hosts.
    private func connect(attempt: Int) throws(AMQPError) -> Connection {
        let connection = try Connection(
            to: settings.endpoint,
            attempt: attempt,
            timeout: .seconds(5)
        )
        try connection.openChannel()
        try settings.topology.ensure(on: connection, logger: logger)
        try settings.topology.reportDifferences(on: connection, logger: logger)
        try connection.limitPrefetch(to: settings.prefetch)
        return connection
    }

    private func startConsuming(on connection: borrowing Connection) throws(AMQPError) {
        try connection.consume(from: settings.topology.names.main, tag: Self.consumerTag)
    }

    private static let consumerTag = "amity"

    /// Every step to an open session has a limit of its own; this is more than all of them together take,
    /// over the addresses that a host may have.
    private static let connectLimit = Duration.seconds(300)

    // MARK: The loop

    /// What the loop of one session remembers between its turns.
    private struct Memory: ~Copyable {
        var assembler = MessageAssembler()
        var blockedAt: ContinuousClock.Instant?
        /// Deliveries over the size limit that came while another one was on its way. Their bodies are
        /// not kept: they go back, to come again, when that one has gone.
        var waiting: [DeliveryID] = []
        let times: SettlementTimes

        init(times: SettlementTimes) {
            self.times = times
        }
    }

    /// The loop of one session: settle, receive, dispatch, sleep. Returns when the drain is over.
    ///
    /// - Parameter oversized: the delivery over the size limit, of this session or an earlier one, that
    ///   is on its way to the dead letters. There is never more than one.
    private func consume(
        on connection: borrowing Connection,
        _ memory: inout Memory,
        _ machine: inout ConsumerStateMachine,
        _ detector: inout StallDetector,
        _ oversized: inout DeliveryID?,
        _ dispatcher: Dispatcher
    ) throws(AMQPError) {
        // Half a heartbeat: the library services heartbeats only inside its calls.
        let heartbeat = connection.heartbeatSeconds
        let longestSleep: Duration = heartbeat > 0 ? .seconds(heartbeat) / 2 : .seconds(5)
        while true {
            // A call that the watchdog has to end is the last one of its session.
            pulse.expect(within: longestSleep + connection.callLimit)
            // In this order: settling silences the bell, and what it rang for is looked at after.
            settle(&machine, &oversized, &memory)
            try obey(on: connection, memory, &machine, dispatcher)
            let arrived = try receive(
                from: connection,
                &memory,
                &machine,
                &detector,
                &oversized,
                dispatcher
            )
            dispatcher.submit(arrived)
            let frames = machine.frames(at: .now, waiting: dispatcher.load.waiting)
            try send(frames, on: connection)
            let acked = memory.times.sent(frames, at: .now)
            counts.turned(
                hasArrivals: !arrived.isEmpty,
                acked: acked,
                inFlight: machine.unsettled
            )
            metrics.inFlight.record(machine.unsettled)
            if case .close(let unfinished) = machine.turnEnded(at: .now) {
                return try close(connection, unfinished: unfinished)
            }
            // A body that trickles in is no silence, and the answer to a question would queue behind it.
            let isFree =
                machine.isConsuming && machine.unsettled < Int(settings.prefetch)
                && !memory.assembler.isInMessage
            if isFree { try probe(&detector, on: connection) }
            readiness.set(.stalled, detector.stalls > 1)
            bell.wait(
                orReadable: connection.descriptor,
                timeout: machine.longestSleep(
                    from: .now,
                    atMost: isFree ? min(longestSleep, detector.wait(from: .now)) : longestSleep
                )
            )
        }
    }

    /// Does what was asked of the worker since the last turn.
    private func obey(
        on connection: borrowing Connection,
        _ memory: borrowing Memory,
        _ machine: inout ConsumerStateMachine,
        _ dispatcher: Dispatcher
    ) throws(AMQPError) {
        let isDraining = drain.isRaised
        let action =
            isDraining
            ? machine.drainRequested(at: .now) : machine.intake(isOpen: intake.isOpen)
        switch action {
        case .cancelConsumer:
            logger.notice(
                isDraining ? "consumer.draining" : "consumer.paused",
                metadata: ["unsettled": .stringConvertible(machine.unsettled)]
            )
            try connection.cancelConsumer(tag: Self.consumerTag)
            for delivery in dispatcher.withdraw() {
                let completion = Completion(id: delivery.id, settlement: .requeue)
                _ = machine.settled(completion)
                memory.times.settled(completion)
            }
        case .resumeConsumer:
            try startConsuming(on: connection)
            logger.notice("consumer.resumed")
        case .connect, .close, .stop, nil:
            break
        }
    }

    private func settle(
        _ machine: inout ConsumerStateMachine,
        _ oversized: inout DeliveryID?,
        _ memory: inout Memory
    ) {
        for completion in completions.drain() {
            if completion.id == oversized {
                oversized = nil
                for id in memory.waiting {
                    let requeue = Completion(id: id, settlement: .requeue)
                    _ = machine.settled(requeue)
                    memory.times.settled(requeue)
                }
                memory.waiting = []
            }
            if machine.settled(completion) {
                memory.times.settled(completion)
                continue
            }
            // The broker has delivered it again since, and the database knows what is done.
            logger.info("consumer.stale-completion", metadata: ["delivery": "\(completion.id)"])
        }
    }

    private func send(
        _ frames: [SettlementLedger.Frame],
        on connection: borrowing Connection
    ) throws(AMQPError) {
        for frame in frames { try connection.send(frame) }
        if !frames.isEmpty { Failpoint.ackSent.hit() }
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
        if detector.probed(ready: ready, at: .now) {
            metrics.stalls.increment()
            throw .stalled(ready: ready)
        }
        logger.debug("consumer.silent", metadata: ["ready": .stringConvertible(ready)])
    }

    /// Takes every frame that is there.
    ///
    /// - Returns: the deliveries that became whole and are to be worked on.
    private func receive(
        from connection: borrowing Connection,
        _ memory: inout Memory,
        _ machine: inout ConsumerStateMachine,
        _ detector: inout StallDetector,
        _ oversized: inout DeliveryID?,
        _ dispatcher: Dispatcher
    ) throws(AMQPError) -> [Delivery] {
        var arrived: [Delivery] = []
        var count = 0
        defer { metrics.took(count) }
        while let frame = try connection.nextFrame() {
            switch frame {
            case .closed(let error):
                throw error
            case .consumerCancelled:
                throw .consumerCancelled
            case .blocked(let reason):
                memory.blockedAt = .now
                logger.warning("consumer.blocked", metadata: ["reason": "\(reason)"])
            case .unblocked:
                logger.logEnd("consumer.unblocked", of: memory.blockedAt.take())
            case .delivery, .returned, .header, .body, .confirm, .other:
                guard
                    case .delivered(let tag, let redelivered, let message) =
                        try memory.assembler.take(frame),
                    case .dispatch(let id) = machine.delivered(tag: tag)
                else { break }
                detector.delivered(at: .now)
                count += 1
                let delivery = Delivery(
                    id: id,
                    message: message,
                    redelivered: redelivered,
                    receivedAt: .now
                )
                memory.times.arrived(delivery)
                if message.body.count <= settings.bodyLimit {
                    arrived.append(delivery)
                } else if oversized == nil {
                    oversized = id
                    dispatcher.refuse(delivery, because: .tooLarge(limit: settings.bodyLimit))
                } else {
                    memory.waiting.append(id)
                }
            }
        }
        return arrived
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

    private func logStart(
        of session: UInt64,
        at attempt: Int,
        lostAt: ContinuousClock.Instant?
    ) {
        let addresses = settings.endpoint.addresses
        var metadata: Logger.Metadata = [
            "queue": "\(settings.topology.names.main)", "session": .stringConvertible(session),
            "host": "\(addresses[attempt % addresses.count])",
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

extension Failure {
    fileprivate static func tooLarge(limit: Int) -> Failure {
        Failure(
            code: "MESSAGE_TOO_LARGE",
            reason: "the body is larger than MESSAGE_MAX_BYTES, \(limit); it was not looked at"
        )
    }
}

extension Logger {
    /// Logs the end of something whose begin was logged.
    func logEnd(_ event: Logger.Message, of begin: ContinuousClock.Instant?) {
        let seconds = begin.map { $0.duration(to: .now) / .seconds(1) } ?? 0
        notice(event, metadata: ["downtime_seconds": .stringConvertible(seconds)])
    }
}
