import Failpoints
import Foundation
import Logging
import Synchronization
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
    private let keeper: TopologyKeeper?
    /// Generation of the session that is open, 0 while there is none. Written by the channel thread.
    private let session = Atomic<UInt64>(0)
    private let counts: WorkerCounts
    private let logger: Logger
    /// Where settlements are posted, from any thread.
    package let completions: Mailbox<Completion>
    /// Whether messages are taken at all, for anybody to close and open.
    package let intake: Intake

    /// - Parameters:
    ///   - pulse: the channel thread's.
    ///   - keeper: asked to look at the rest of the topology when a session begins.
    package init(
        settings: Settings,
        drain: DrainSignal,
        readiness: Readiness,
        health: LinkHealth = LinkHealth(),
        keeper: TopologyKeeper? = nil,
        counts: WorkerCounts = WorkerCounts(),
        pulse: Pulse = Pulse(name: "channel"),
        metrics: WorkerMetrics = WorkerMetrics(),
        logger: Logger
    ) {
        self.settings = settings
        self.drain = drain
        self.readiness = readiness
        self.health = health
        self.keeper = keeper
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
    /// - Parameters:
    ///   - withheld: copies of deliveries that the broker does not take, so that their originals stay
    ///     unsettled.
    ///   - onStopped: called on that thread when it has drained and closed.
    package func start(
        delivering dispatcher: Dispatcher,
        withheld: @escaping @Sendable () -> Publisher.Withheld = { .init() },
        onStopped: @escaping @Sendable () -> Void
    ) {
        startThread(name: "amity-channel", stackBytes: Connection.stackBytes) {
            self.run(dispatcher, withheld)
            onStopped()
        }
    }

    /// Whether a delivery is of the session that is open: else the broker has it again.
    package func isCurrent(_ delivery: DeliveryID) -> Bool {
        session.load(ordering: .acquiring) == delivery.session
    }

    /// Has the channel thread look at what is withheld.
    package func wake() { bell.ring() }

    /// Begins the drain. Returns at once.
    package func requestDrain() {
        readiness.set(.draining, true)
        drain.raise()
        bell.ring()
    }

    /// Performs what the machine says, until it says stop.
    private func run(
        _ dispatcher: Dispatcher,
        _ withheld: @escaping @Sendable () -> Publisher.Withheld
    ) {
        var machine = ConsumerStateMachine(
            drainTimeout: settings.drainTimeout,
            backoff: Backoff(ways: settings.endpoint.addresses.count)
        )
        var detector = StallDetector(timeout: settings.stallTimeout, at: .now)
        var lostAt: ContinuousClock.Instant?
        var openedAt: ContinuousClock.Instant?
        var oversized: DeliveryID?
        var attempt = 0
        var differences: Set<String> = []
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
                let connection = try Connection(
                    to: settings.endpoint,
                    attempt: attempt,
                    timeout: .seconds(5),
                    until: drain
                )
                let isIntakeOpen = intake.isOpen
                try interruptibly(connection) { () throws(AMQPError) in
                    try prepare(connection, &differences, wasStalled: detector.stalls > 0)
                    if isIntakeOpen {
                        try startConsuming(on: connection, tag: Memory.firstConsumerTag)
                    }
                }
                machine.opened(isIntakeOpen: isIntakeOpen)
                session.store(machine.session, ordering: .releasing)
                keeper?.lookSoon()
                detector.restarted(at: .now)
                logStart(of: machine.session, at: attempt, lostAt: lostAt)
                lostAt = nil
                openedAt = .now
                health.works(.consumer)
                readiness.set(.notConsuming, false)
                times.sessionOpened()
                counts.sessionOpened()
                var memory = Memory(times: times, withheld: withheld)
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
                session.store(0, ordering: .releasing)
                readiness.set(.notConsuming, true)
                counts.sessionLost()
                if case .interrupted = error {} else { reconnects.count(error) }
                metrics.inFlight.record(0)
                // Once is repaired; again is for somebody to look at.
                readiness.set(.stalled, detector.stalls > 1)
                // What has not begun is the broker's again, and would only be done twice.
                _ = dispatcher.withdraw()
                action = machine.sessionLost(
                    after: openedAt.take().map { $0.duration(to: .now) } ?? .zero
                )
                // What a stop has cut short is no failure.
                if drain.isRaised, action != .stop { continue }
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

    /// Runs what waits for the broker's answers. A stop does not wait for them: nothing in this session
    /// needs to be finished, or it is delivered again.
    private func interruptibly(
        _ connection: borrowing Connection,
        _ body: () throws(AMQPError) -> Void
    ) throws(AMQPError) {
        let watch = connection.watch
        try drain.interrupting(by: { Watchdog.shared.fire(watch) }, body)
    }

    /// All that consuming needs: a channel, and the queue, declared where it is missing.
    ///
    /// - Parameters:
    ///   - differences: those of the queue that were told before.
    ///   - wasStalled: whether the last session was given nothing from a queue with messages.
    private func prepare(
        _ connection: borrowing Connection,
        _ differences: inout Set<String>,
        wasStalled: Bool
    ) throws(AMQPError) {
        let (topology, main) = (settings.topology, settings.topology.main)
        try connection.openChannel()
        try topology.ensure(main, on: connection, logger: logger)
        var defect: QueueDefect?
        if let difference = try topology.difference(of: main, on: connection) {
            if differences.insert(difference).inserted {
                topology.log(difference, of: main, to: logger)
            }
            defect = try topology.defect(of: main, differing: difference, on: connection)
        }
        if let defect {
            let error = AMQPError.unsuitable(queue: main.name, defect)
            if defect.forbidsConsuming { throw error }
            let notice = health.failed(error.problem(of: .consumer, main.name))
            logger.log(
                level: notice.isLogged ? .warning : .debug,
                "topology.queue-unsuitable",
                metadata: ["error": "\(error)", "remedy": "\(defect.remedy)"]
            )
        } else {
            health.works(.consumer, main.name)
        }
        // Where this user may not declare, nothing but this tells a stream.
        if wasStalled, try Topology.isStream(main.name, at: settings.endpoint, until: drain) {
            throw .unsuitable(queue: main.name, .stream)
        }
        try connection.limitPrefetch(to: settings.prefetch)
    }

    private func startConsuming(
        on connection: borrowing Connection,
        tag: String
    ) throws(AMQPError) {
        try connection.consume(from: settings.topology.names.main, tag: tag)
    }

    /// Chosen: a broker that is well answers within milliseconds, and a stop must not wait for one that
    /// is not. What is unsettled is its own again either way.
    private static let closeLimit = Duration.milliseconds(700)

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
        /// When the broker was asked for the queue's depth; nil when it has answered.
        var askedAt: ContinuousClock.Instant?
        var prefetch = PrefetchRenewal()
        private var registrations = 1
        let times: SettlementTimes
        let withheld: @Sendable () -> Publisher.Withheld

        init(
            times: SettlementTimes,
            withheld: @escaping @Sendable () -> Publisher.Withheld
        ) {
            self.times = times
            self.withheld = withheld
        }

        static let firstConsumerTag = "amity"

        /// Another for each consumer of the session: where one is registered under the tag of a cancelled
        /// one whose deliveries are not settled, a quorum queue ends the channel (541; RabbitMQ 3.10).
        var consumerTag: String {
            registrations == 1
                ? Self.firstConsumerTag : "\(Self.firstConsumerTag)-\(registrations)"
        }

        /// - Returns: the tag for the next consumer.
        mutating func nextConsumerTag() -> String {
            registrations += 1
            return consumerTag
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
        let longestSleep = connection.longestSilence
        while true {
            // A call that the watchdog has to end is the last one of its session.
            pulse.expect(within: longestSleep + connection.callLimit)
            // In this order: settling silences the bell, and what it rang for is looked at after.
            settle(&machine, &oversized, &memory)
            try obey(on: connection, &memory, &machine, dispatcher)
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
                return close(connection, unfinished: unfinished)
            }
            try renewPrefetch(on: connection, &memory, machine, dispatcher)
            // A body that trickles in is no silence, and the answer to a question would queue behind it.
            let isFree =
                machine.isConsuming && !memory.assembler.isInMessage
                && machine.unsettled(after: memory.prefetch.renewedAfter) < Int(settings.prefetch)
            if isFree { try probe(detector, &memory, on: connection) }
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
        _ memory: inout Memory,
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
            try connection.cancelConsumer(tag: memory.consumerTag)
            for delivery in dispatcher.withdraw() {
                let completion = Completion(id: delivery.id, settlement: .requeue)
                _ = machine.settled(completion)
                memory.times.settled(completion)
            }
        case .resumeConsumer:
            let tag = memory.nextConsumerTag()
            try interruptibly(connection) { () throws(AMQPError) in
                try startConsuming(on: connection, tag: tag)
            }
            memory.prefetch.renewed(after: machine.lastTag, withheld: held(memory).count)
            // The queue may have been deleted and declared anew meanwhile, without its binding.
            keeper?.lookSoon()
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

    /// Asks whether the queue has messages that this consumer is not given. It asks on the consumer's own
    /// channel, so an answer also proves that the channel lives; a queue that is gone closes it, and the
    /// next session makes it again. The answer comes as a frame: nothing waits for it.
    private func probe(
        _ detector: StallDetector,
        _ memory: inout Memory,
        on connection: borrowing Connection
    ) throws(AMQPError) {
        if let askedAt = memory.askedAt {
            if askedAt + Connection.rpcTimeout > .now { return }
            throw .unresponsive(during: "look at queue \(settings.topology.names.main)")
        }
        guard detector.isProbeDue(at: .now) else { return }
        try connection.askDepth(of: settings.topology.names.main)
        memory.askedAt = .now
    }

    private func answered(
        _ depth: QueueDepth,
        _ detector: inout StallDetector,
        _ memory: inout Memory
    ) throws(AMQPError) {
        memory.askedAt = nil
        if detector.probed(ready: depth.ready, at: .now) {
            metrics.stalls.increment()
            throw .stalled(ready: depth.ready)
        }
        logger.debug("consumer.silent", metadata: ["ready": .stringConvertible(depth.ready)])
    }

    // MARK: What waits for the broker to take its copy

    /// Deliveries that stay unsettled for as long as the broker does not take their copies, and those
    /// that wait behind one of them.
    private func held(_ memory: borrowing Memory) -> Publisher.Withheld {
        var held = memory.withheld()
        held.count += memory.waiting.count
        return held
    }

    /// Registers the consumer anew when deliveries that wait for their copies have used up its prefetch:
    /// the broker counts for a consumer what that one was given, so the new one has all of it again.
    private func renewPrefetch(
        on connection: borrowing Connection,
        _ memory: inout Memory,
        _ machine: ConsumerStateMachine,
        _ dispatcher: Dispatcher
    ) throws(AMQPError) {
        let held = held(memory)
        let present = memory.prefetch.renewedAfter
        guard machine.isConsuming,
            memory.prefetch.isDue(
                held: held.count,
                unsettled: machine.unsettled(after: present),
                of: Int(settings.prefetch),
                load: dispatcher.load
            )
        else { return }
        // The bound on memory: as much again as the prefetch is worth.
        guard held.bytes <= Int(settings.prefetch) * settings.bodyLimit,
            held.count <= PrefetchRenewal.mostHeld
        else {
            if memory.prefetch.tellsExhaustion() {
                logger.error("consumer.prefetch-exhausted", metadata: held.metadata)
            }
            return
        }
        try connection.cancelConsumer(tag: memory.consumerTag)
        let tag = memory.nextConsumerTag()
        try interruptibly(connection) { () throws(AMQPError) in
            try startConsuming(on: connection, tag: tag)
        }
        memory.prefetch.renewed(after: machine.lastTag, withheld: held.count)
        logger.notice("consumer.prefetch-renewed", metadata: held.metadata)
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
            case .depth(let depth):
                try answered(depth, &detector, &memory)
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

    private func close(_ connection: borrowing Connection, unfinished: Int) {
        if unfinished > 0 {
            logger.warning(
                "consumer.drain-timed-out",
                metadata: ["unfinished": .stringConvertible(unfinished)]
            )
        }
        do throws(AMQPError) {
            try connection.close(within: Self.closeLimit)
        } catch {
            logger.info("consumer.close-unanswered", metadata: ["error": "\(error)"])
        }
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

extension Publisher.Withheld {
    fileprivate var metadata: Logger.Metadata {
        ["withheld": .stringConvertible(count), "bytes": .stringConvertible(bytes)]
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
