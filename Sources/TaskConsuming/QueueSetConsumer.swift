import AMQP
import Concurrency
import Consuming
import Logging
import Messaging
import WorkerHealth

/// Connects, consumes from all of its queues, and connects again when a session is lost. What
/// happens in a session is in `QueueSetSession.swift`.
///
/// A queue that cannot be declared or is away keeps the others from nothing: it is left out, and
/// looked at again every half minute.
package final class QueueSetConsumer: Sendable {
    package struct Settings: Sendable {
        package var endpoint: Endpoint
        /// Says what type of queue is declared where one is missing.
        package var topology: Topology
        /// By their number: `Delivery.source`.
        package var queues: [String]
        /// Most deliveries of each queue unsettled at once, 1 to 65535.
        package var prefetch: UInt16
        /// Bytes of the largest body that is handled.
        package var bodyLimit: Int
        /// The silence after which to ask whether a queue has messages that do not come.
        package var stallTimeout: Duration

        package init(
            endpoint: Endpoint,
            topology: Topology,
            queues: [String],
            prefetch: UInt16,
            bodyLimit: Int = 64 << 10,
            stallTimeout: Duration
        ) {
            self.endpoint = endpoint
            self.topology = topology
            self.queues = queues
            self.prefetch = prefetch
            self.bodyLimit = bodyLimit
            self.stallTimeout = stallTimeout
        }
    }

    let settings: Settings
    let consumption: Consumption
    let drain = DrainSignal()
    let bell = EventBell()
    let health: LinkHealth
    let readiness: Readiness
    package let pulse: Pulse
    let logger: Logger
    /// Queues that are left out, by number; with the time of the next look.
    let aside = Locked<[Int: ContinuousClock.Instant]>([:])
    /// Queues that are asked for nothing while an operator has paused them, by number.
    private let paused = Locked<Set<Int>>([])
    /// Where settlements are posted, from any thread.
    package let completions: Mailbox<Completion>

    /// Until a queue that was away is looked at again. Chosen: work goes on within ten seconds of
    /// the return of its node.
    static let pauseForQueue = Duration.seconds(5)

    /// - Parameters:
    ///   - consumption: whether messages are taken at all.
    ///   - pulse: the channel thread's.
    package init(
        settings: Settings,
        consumption: Consumption,
        readiness: Readiness,
        health: LinkHealth = LinkHealth(),
        pulse: Pulse = Pulse(name: "task channel"),
        logger: Logger
    ) {
        self.settings = settings
        self.consumption = consumption
        self.readiness = readiness
        self.health = health
        self.pulse = pulse
        self.logger = logger
        completions = Mailbox(bell: bell)
        consumption.ring(bell)
        readiness.set(.tasksNotConsumed, true)
    }

    /// Starts the channel thread.
    ///
    /// - Parameter onStopped: called on that thread when it has drained and closed.
    package func start(
        deliveringTo receiver: any QueueSetReceiver,
        onStopped: @escaping @Sendable () -> Void
    ) {
        startThread(name: "amity-task-queues", stackBytes: Connection.stackBytes) {
            self.run(receiver)
            onStopped()
        }
    }

    /// Has the channel thread look whether there is work for it again.
    package func wake() { bell.ring() }

    /// Asks for nothing of these queues, by number, and of all others. Returns at once.
    package func pause(_ numbers: Set<Int>) {
        let isNew = paused.withLock { paused in
            defer { paused = numbers }
            return paused != numbers
        }
        if isNew { bell.ring() }
    }

    var pausedQueues: Set<Int> { paused.withLock(\.self) }

    /// Takes no more deliveries, gives back what has not begun, and ends. Returns at once.
    package func requestDrain() {
        drain.raise()
        bell.ring()
    }

    // MARK: The thread

    private func run(_ receiver: any QueueSetReceiver) {
        var state = QueueSetState(settings)
        var action = ConsumerStateMachine.Action.connect(after: .zero)
        while case .connect(let delay) = action {
            pulse.expect(within: delay + Self.connectLimit)
            if drain.wait(for: delay) {
                action = state.machine.drainRequested(at: .now) ?? .stop
                continue
            }
            do throws(AMQPError) {
                try runSession(&state, receiver)
                action = sessionEnded(&state, receiver)
            } catch {
                action = sessionLost(by: error, &state, receiver)
            }
        }
        pulse.end()
        logger.notice("task-consumer.stopped")
    }

    private func runSession(
        _ state: inout QueueSetState,
        _ receiver: any QueueSetReceiver
    ) throws(AMQPError) {
        defer { state.attempt += 1 }
        let connection = try Connection(
            to: settings.endpoint,
            attempt: state.attempt,
            timeout: .seconds(5),
            until: drain
        )
        try connection.interruptibly(by: drain) { () throws(AMQPError) in
            try connection.openChannel()
            for number in settings.queues.indices { try prepare(number, on: connection) }
            try connection.limitPrefetch(to: settings.prefetch)
        }
        // A consumer is registered by the session's first turn.
        state.machine.opened(isConsuming: false)
        state.openedAt = .now
        state.detector.restarted(at: .now)
        health.works(.taskConsumer)
        readiness.set(.tasksNotConsumed, false)
        let addresses = settings.endpoint.addresses
        logger.notice(
            "task-consumer.started",
            metadata: [
                "session": .stringConvertible(state.machine.session),
                "host": "\(addresses[state.attempt % addresses.count])",
                "queues": .stringConvertible(settings.queues.count),
            ]
        )
        let firstNode = FirstNodeWatch(
            for: state.attempt,
            at: settings.endpoint,
            queue: settings.queues[0],
            moves: state.moves,
            ringing: bell
        )
        defer { firstNode?.end() }
        var session = QueueSetSession(
            of: self,
            on: connection,
            state,
            firstNode: firstNode,
            receiver: receiver
        )
        defer { state = session.state }
        try session.run()
    }

    /// Declares a queue where it is missing.
    private func prepare(
        _ number: Int,
        on connection: borrowing Connection
    ) throws(AMQPError) {
        let name = settings.queues[number]
        let queue = settings.topology.queue(named: name)
        do throws(AMQPError) {
            try settings.topology.ensure(queue, on: connection, logger: logger)
            aside.withLock { $0[number] = nil }
            health.works(.taskConsumer, name)
        } catch {
            guard error.sparesConnection else { throw error }
            aside.withLock { $0[number] = .now + Self.pauseForQueue }
            note(error, queue: name)
        }
    }

    /// Takes down that a queue is away.
    func note(_ error: AMQPError, queue: String) {
        health.failed(
            error.problem(of: .taskConsumer, queue),
            logging: "task-consumer.queue-away",
            to: logger
        )
    }

    /// - Returns: what to do after a session that has ended as it was asked to.
    private func sessionEnded(
        _ state: inout QueueSetState,
        _ receiver: any QueueSetReceiver
    ) -> ConsumerStateMachine.Action {
        let next = state.machine.next
        if next == .stop { return next }
        _ = receiver.withdraw()
        state.attempt = 0
        state.moves += 1
        return next
    }

    private func sessionLost(
        by error: AMQPError,
        _ state: inout QueueSetState,
        _ receiver: any QueueSetReceiver
    ) -> ConsumerStateMachine.Action {
        readiness.set(.tasksNotConsumed, true)
        // What has not begun is the broker's again.
        _ = receiver.withdraw()
        let action = state.machine.sessionLost(
            after: state.openedAt.take().map { $0.duration(to: .now) } ?? .zero
        )
        if drain.isRaised, action != .stop { return action }
        let notice = health.failed(error.problem(of: .taskConsumer))
        var metadata: Logger.Metadata = ["error": "\(error)"]
        if case .connect(let delay) = action {
            metadata["retry_in_seconds"] = .stringConvertible(delay / .seconds(1))
        }
        logger.log(
            level: notice.isLogged ? .error : .debug,
            "task-consumer.connection-lost",
            metadata: metadata
        )
        return action
    }

    /// More than all steps to an open session take together.
    private static let connectLimit = Duration.seconds(300)
}

/// What the channel thread knows from one session to the next.
struct QueueSetState {
    var machine: ConsumerStateMachine
    var detector: StallDetector
    /// Attempts to open a session so far; chooses the host.
    var attempt = 0
    /// How often it has gone back to its first host.
    var moves = 0
    var openedAt: ContinuousClock.Instant?

    init(_ settings: QueueSetConsumer.Settings) {
        machine = ConsumerStateMachine(
            // What is claimed is settled at once; this is for a database that does not answer.
            drainTimeout: .seconds(5),
            backoff: Backoff(ways: settings.endpoint.addresses.count)
        )
        detector = StallDetector(timeout: settings.stallTimeout, at: .now)
    }
}
