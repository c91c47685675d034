import Concurrency
import Consuming
import Logging
import Messaging
import Synchronization
import WorkerHealth

/// The channel thread: the only one that touches the consumer's connection.
///
/// It connects, and connects again when a session is lost. What happens in a session is in
/// `ConsumerSession.swift`: it takes frames off the socket, hands whole deliveries to the
/// receiver, and turns completions from the mailbox into settlements. The thread never runs a
/// handler, talks to the database, or waits for anything but the broker.
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

    let settings: Settings
    let drain: DrainSignal
    let readiness: Readiness
    private let health: LinkHealth
    let pulse: Pulse
    let metrics: ConsumerMetrics
    let bell = EventBell()
    let keeper: TopologyKeeper?
    /// Generation of the session that is open, 0 while there is none. Written by the channel
    /// thread, read by the publisher's.
    private let session = Atomic<UInt64>(0)
    let counts: WorkerCounts
    let logger: Logger
    /// Where settlements are posted, from any thread.
    package let completions: Mailbox<Completion>
    /// Whether messages are taken at all; any thread may switch it.
    package let consumption: Consumption

    /// - Parameters:
    ///   - pulse: the channel thread's.
    ///   - keeper: asked to look at the rest of the topology when a session begins.
    package init(
        settings: Settings,
        drain: DrainSignal,
        readiness: Readiness,
        health: LinkHealth = LinkHealth(),
        keeper: TopologyKeeper? = nil,
        consumption: Consumption = Consumption(),
        counts: WorkerCounts = WorkerCounts(),
        pulse: Pulse = Pulse(name: "channel"),
        logger: Logger
    ) {
        self.settings = settings
        self.drain = drain
        self.readiness = readiness
        self.health = health
        self.keeper = keeper
        self.counts = counts
        self.pulse = pulse
        self.logger = logger
        metrics = ConsumerMetrics(prefetch: settings.prefetch)
        completions = Mailbox(bell: bell)
        self.consumption = consumption
        consumption.ring(bell)
    }

    /// Starts the channel thread.
    ///
    /// - Parameters:
    ///   - withheld: copies of deliveries that the broker does not take, so that their originals
    ///     stay unsettled.
    ///   - onStopped: called on that thread when it has drained and closed.
    package func start(
        deliveringTo receiver: any DeliveryReceiver,
        withheld: @escaping @Sendable () -> Publisher.Withheld = { .init() },
        onStopped: @escaping @Sendable () -> Void
    ) {
        startThread(name: "amity-channel", stackBytes: Connection.stackBytes) {
            self.run(receiver, withheld)
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

    /// Connects, and runs one session after the other, until the machine says stop.
    private func run(
        _ receiver: any DeliveryReceiver,
        _ withheld: @escaping @Sendable () -> Publisher.Withheld
    ) {
        var state = ConsumerState(settings)
        var action = ConsumerStateMachine.Action.connect(after: .zero)
        while case .connect(let delay) = action {
            pulse.expect(within: delay + Self.connectLimit)
            if drain.wait(for: delay) {
                action = state.machine.drainRequested(at: .now) ?? .stop
                continue
            }
            do throws(AMQPError) {
                try runSession(&state, receiver, withheld)
                action = sessionEnded(&state, receiver)
            } catch {
                action = sessionLost(by: error, &state, receiver)
            }
        }
        pulse.end()
        readiness.set(.notConsuming, true)
        counts.sessionLost()
        logger.notice("consumer.stopped", metadata: state.times.summary)
    }

    /// Opens a session and runs it until the worker has drained.
    private func runSession(
        _ state: inout ConsumerState,
        _ receiver: any DeliveryReceiver,
        _ withheld: @escaping @Sendable () -> Publisher.Withheld
    ) throws(AMQPError) {
        defer { state.attempt += 1 }
        let connection = try Connection(
            to: settings.endpoint,
            attempt: state.attempt,
            timeout: .seconds(5),
            until: drain
        )
        let isConsuming = consumption.isOn
        try connection.interruptibly(by: drain) { () throws(AMQPError) in
            try prepare(connection, &state)
            if isConsuming {
                try connection.consume(
                    from: settings.topology.names.main,
                    tag: ConsumerSession.firstConsumerTag
                )
            }
        }
        state.machine.opened(isConsuming: isConsuming)
        sessionOpened(&state)
        let firstNode = FirstNodeWatch(
            for: state.attempt,
            at: settings.endpoint,
            queue: settings.topology.names.main,
            moves: state.moves,
            ringing: bell
        )
        defer { firstNode?.end() }
        var session = ConsumerSession(
            of: self,
            on: connection,
            state,
            firstNode: firstNode,
            receiver: receiver,
            withheld: withheld
        )
        defer { state = session.state }
        try session.run()
    }

    private func sessionOpened(_ state: inout ConsumerState) {
        session.store(state.machine.session, ordering: .releasing)
        keeper?.lookSoon()
        state.detector.restarted(at: .now)
        logStart(state)
        state.lostAt = nil
        state.openedAt = .now
        health.works(.consumer)
        readiness.set(.notConsuming, false)
        state.times.sessionOpened()
        counts.sessionOpened()
    }

    /// A session has ended as it was asked to.
    ///
    /// - Returns: what to do next.
    private func sessionEnded(
        _ state: inout ConsumerState,
        _ receiver: any DeliveryReceiver
    ) -> ConsumerStateMachine.Action {
        let next = state.machine.next
        if next == .stop { return next }
        session.store(0, ordering: .releasing)
        counts.sessionLost()
        // What was not settled in time is the broker's again.
        _ = receiver.withdraw()
        state.attempt = 0
        state.moves += 1
        return next
    }

    /// A session has ended before the worker did, or could not be opened.
    ///
    /// - Returns: what to do next.
    private func sessionLost(
        by error: AMQPError,
        _ state: inout ConsumerState,
        _ receiver: any DeliveryReceiver
    ) -> ConsumerStateMachine.Action {
        session.store(0, ordering: .releasing)
        readiness.set(.notConsuming, true)
        counts.sessionLost()
        if case .interrupted = error {} else { metrics.reconnects.count(error) }
        metrics.inFlight.record(0)
        // The first stall is repaired by this reconnect; only repeated ones need an operator.
        readiness.set(.stalled, state.detector.stalls > 1)
        // What has not begun is the broker's again, and would only be done twice.
        _ = receiver.withdraw()
        let action = state.machine.sessionLost(
            after: state.openedAt.take().map { $0.duration(to: .now) } ?? .zero
        )
        // What a stop has cut short is no failure.
        if drain.isRaised, action != .stop { return action }
        let notice = health.failed(error.problem(of: .consumer))
        logLoss(
            of: state.machine.session,
            error,
            next: action,
            at: notice.isLogged ? .error : .debug
        )
        state.lostAt = state.lostAt ?? .now
        return action
    }

    /// All that consuming needs: a channel, and the queue, declared where it is missing.
    private func prepare(
        _ connection: borrowing Connection,
        _ state: inout ConsumerState
    ) throws(AMQPError) {
        let (topology, main) = (settings.topology, settings.topology.main)
        try connection.openChannel()
        try topology.ensure(main, on: connection, logger: logger)
        var defect: QueueDefect?
        if let difference = try topology.difference(of: main, on: connection) {
            if state.differences.insert(difference).inserted {
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
        // Where this user may not declare, nothing but a stall tells a stream.
        if state.detector.stalls > 0,
            try Topology.isStream(main.name, at: settings.endpoint, until: drain)
        {
            throw .unsuitable(queue: main.name, .stream)
        }
        try connection.limitPrefetch(to: settings.prefetch)
    }

    /// Every step to an open session has a limit of its own; this is more than all of them together
    /// take, over the addresses that a host may have.
    private static let connectLimit = Duration.seconds(300)

    private func logStart(_ state: ConsumerState) {
        let addresses = settings.endpoint.addresses
        var metadata: Logger.Metadata = [
            "queue": "\(settings.topology.names.main)",
            "session": .stringConvertible(state.machine.session),
            "host": "\(addresses[state.attempt % addresses.count])",
        ]
        if let lostAt = state.lostAt {
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

extension Connection {
    /// Runs what waits for the broker's answers. A stop does not wait for them: nothing in this
    /// session needs to be finished, or it is delivered again.
    package func interruptibly(
        by drain: DrainSignal,
        _ body: () throws(AMQPError) -> Void
    ) throws(AMQPError) {
        try drain.interrupting(by: { [watch] in Watchdog.shared.fire(watch) }, body)
    }
}

extension Logger {
    /// Logs the end of something whose begin was logged.
    func logEnd(_ event: Logger.Message, of begin: ContinuousClock.Instant?) {
        let seconds = begin.map { $0.duration(to: .now) / .seconds(1) } ?? 0
        notice(event, metadata: ["downtime_seconds": .stringConvertible(seconds)])
    }
}
