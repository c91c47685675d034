import Concurrency
import Logging
import Messaging
import Synchronization
import WorkerHealth

/// Makes and watches what a worker needs besides the queue it consumes from: its helper queues, and
/// the exchange with its binding. Also notices when the broker takes no messages, for want of
/// memory or disk.
///
/// On a thread and a connection of its own: a queue whose node is away answers late or never, and
/// neither deliveries nor copies for other queues may wait for that.
package final class TopologyKeeper: Sendable {
    private let endpoint: Endpoint
    private let topology: Topology
    private let health: LinkHealth
    private let drain: DrainSignal
    private let logger: Logger
    private let bell = EventBell()
    /// Written by any thread, taken by the keeper's.
    private let isAsked = Atomic(false)

    /// Between two looks at queues that are well. Chosen: a queue that vanished is made again a
    /// minute later at the latest, and at once when a copy finds it missing.
    private static let interval = Duration.seconds(60)
    /// Between two questions whether the broker takes messages. Chosen: as often as the queue is
    /// watched.
    private static let alarmInterval = Duration.seconds(10)

    package init(
        endpoint: Endpoint,
        topology: Topology,
        health: LinkHealth,
        drain: DrainSignal,
        logger: Logger
    ) {
        self.endpoint = endpoint
        self.topology = topology
        self.health = health
        self.drain = drain
        self.logger = logger
    }

    package func start() {
        startThread(name: "amity-topology", stackBytes: Connection.stackBytes) {
            self.drain.interrupting(by: { self.bell.ring() }) { self.run() }
        }
    }

    /// To be called when a session begins, or a copy found its queue missing. Returns at once.
    package func lookSoon() {
        isAsked.store(true, ordering: .releasing)
        bell.ring()
    }

    // MARK: The thread

    /// What is remembered between connections.
    private struct Memory {
        /// In the order in which they are looked at: one that has cost the connection goes last.
        var helpers: [Topology.Queue]
        /// Helper queues that have been seen.
        var known: Set<String> = []
        /// Those whose differences were told.
        var compared: Set<String> = []
        var isBindingRefused = false
    }

    private func run() {
        var memory = Memory(helpers: topology.helpers)
        var backoff = Backoff(ways: endpoint.addresses.count)
        var attempt = 0
        while !drain.isRaised {
            do throws(AMQPError) {
                defer { attempt += 1 }
                try keep(&memory, attempt: attempt) { backoff.reset() }
            } catch {
                if drain.isRaised { break }
                let delay = backoff.next()
                // That the broker is away the consumer says, too, and louder.
                let notice = health.failed(error.problem(of: .publisher, Self.subject))
                logger.log(
                    level: notice.isLogged ? .warning : .debug,
                    "topology.connection-lost",
                    metadata: ["error": "\(error)"]
                )
                drain.wait(for: delay)
            }
        }
    }

    /// Names the keeper's own part of the publishing link.
    private static let subject = "topology"
    private static let alarm = "alarm"
    /// As permissions call it.
    private static let defaultExchange = "amq.default"

    /// One connection's worth of keeping; returns when told to stop.
    private func keep(
        _ memory: inout Memory,
        attempt: Int,
        onOpened: () -> Void
    ) throws(AMQPError) {
        let connection = try Connection(
            to: endpoint,
            attempt: attempt,
            timeout: .seconds(5),
            until: drain
        )
        let watch = connection.watch
        // Nothing of it must be settled: a stop may cut it.
        try drain.interrupting(by: { Watchdog.shared.fire(watch) }) { () throws(AMQPError) in
            try connection.openChannel()
            try keep(&memory, on: connection, onOpened)
        }
    }

    private func keep(
        _ memory: inout Memory,
        on connection: borrowing Connection,
        _ onOpened: () -> Void
    ) throws(AMQPError) {
        var backoff = Backoff(first: .seconds(1), cap: .seconds(30))
        var lookAt = ContinuousClock.now
        var askAt = ContinuousClock.now
        var blockedAt: ContinuousClock.Instant?
        var isRefused = false
        // A new connection knows of no alarm; if there is one, the first message tells.
        health.works(.publisher, Self.alarm)
        while !drain.isRaised {
            let now = ContinuousClock.now
            // A blocked connection is not read: an answer would not come.
            if blockedAt == nil, now >= askAt {
                if !isRefused { health.works(.publisher, Self.defaultExchange) }
                isRefused = false
                try askForAlarm(on: connection)
                askAt = now + Self.alarmInterval
            }
            if blockedAt == nil, isAsked.exchange(false, ordering: .acquiring) || now >= lookAt {
                let isWell = try look(&memory, on: connection)
                health.works(.publisher, Self.subject)
                onOpened()
                if isWell { backoff.reset() }
                lookAt = .now + (isWell ? Self.interval : backoff.next())
            }
            try receive(from: connection, &blockedAt, &isRefused)
            let next = blockedAt == nil ? min(lookAt, askAt) : now + Self.alarmInterval
            bell.wait(
                orReadable: connection.descriptor,
                timeout: min(connection.longestSilence, ContinuousClock.now.duration(to: next))
            )
            bell.silence()
        }
    }

    // MARK: Queues

    /// - Returns: whether all is there.
    private func look(
        _ memory: inout Memory,
        on connection: borrowing Connection
    ) throws(AMQPError) -> Bool {
        var isWell = true
        for (index, queue) in memory.helpers.enumerated() {
            do throws(AMQPError) {
                try look(at: queue, &memory, on: connection)
                if let downtime = health.works(.publisher, queue.name) {
                    logger.notice(
                        "topology.queue-available",
                        metadata: [
                            "queue": "\(queue.name)",
                            "downtime_seconds": .stringConvertible(downtime / .seconds(1)),
                        ]
                    )
                }
            } catch {
                report(error, of: queue.name)
                isWell = false
                if error.sparesConnection { continue }
                // It may have hung: the next connection begins with the others.
                memory.helpers.append(memory.helpers.remove(at: index))
                throw error
            }
        }
        do throws(AMQPError) {
            try topology.ensureBinding(on: connection, logger: logger)
            health.works(.publisher, topology.exchange)
        } catch {
            guard error.sparesConnection else { throw error }
            guard error.replyCode == ReplyCode.accessRefused else {
                report(error, of: topology.exchange)
                return false
            }
            // Stock permissions do not allow to bind, nor to ask whether the binding is there. The
            // doctor can tell by the management API.
            logger.log(
                level: memory.isBindingRefused ? .debug : .info,
                "topology.binding-refused",
                metadata: ["exchange": "\(topology.exchange)", "error": "\(error)"]
            )
            memory.isBindingRefused = true
        }
        return isWell
    }

    private func look(
        at queue: Topology.Queue,
        _ memory: inout Memory,
        on connection: borrowing Connection
    ) throws(AMQPError) {
        let wasMissing = try topology.ensure(queue, on: connection, logger: logger)
        if wasMissing, memory.known.contains(queue.name) {
            logger.warning("topology.queue-gone", metadata: ["queue": "\(queue.name)"])
        }
        memory.known.insert(queue.name)
        if wasMissing { memory.compared.insert(queue.name) }
        guard memory.compared.insert(queue.name).inserted,
            let difference = try topology.difference(of: queue, on: connection)
        else { return }
        topology.log(difference, of: queue, to: logger)
    }

    private func report(_ error: AMQPError, of subject: String) {
        let notice = health.failed(error.problem(of: .publisher, subject))
        logger.log(
            level: notice.isLogged ? .warning : .debug,
            "topology.queue-unavailable",
            metadata: ["queue": "\(subject)", "error": "\(error)"]
        )
    }

    // MARK: Alarms

    /// A broker with an alarm says so to those who publish, and to no others. What is published
    /// here goes to a queue that does not exist, and the broker drops it.
    private func askForAlarm(on connection: borrowing Connection) throws(AMQPError) {
        try connection.publish(
            Message(body: []),
            exchange: "",
            routingKey: "amity-alarm-\(topology.names.main)".prefix(bytes: 255),
            mandatory: false
        )
    }

    private func receive(
        from connection: borrowing Connection,
        _ blockedAt: inout ContinuousClock.Instant?,
        _ isRefused: inout Bool
    ) throws(AMQPError) {
        while let frame = try connection.nextFrame(during: "publish") {
            switch frame {
            case .blocked(let reason):
                blockedAt = .now
                let notice = health.failed(Self.problem(ofAlarm: reason))
                logger.log(
                    level: notice.isLogged ? .error : .debug,
                    "broker.alarm",
                    metadata: ["reason": "\(reason)"]
                )
            case .unblocked:
                health.works(.publisher, Self.alarm)
                logger.logEnd("broker.alarm-over", of: blockedAt.take())
            case .closed(let error) where error.sparesConnection:
                // Copies go the same way: without the right to publish none of them gets out.
                isRefused = true
                report(error, of: Self.defaultExchange)
                try connection.reopenChannel()
            case .closed(let error):
                throw error
            case .delivery, .returned, .header, .body, .confirm, .consumerCancelled, .depth, .other:
                break
            }
        }
    }

    private static func problem(ofAlarm reason: String) -> LinkHealth.Problem {
        .init(
            link: .publisher,
            subject: alarm,
            kind: .blocked,
            code: "alarm",
            text: "the broker takes no messages: \(reason)",
            remedy: "free memory or disk on the broker's nodes: rabbitmq-diagnostics alarms"
        )
    }
}

extension String {
    /// As many whole characters as fit.
    fileprivate func prefix(bytes limit: Int) -> String {
        var text = self
        while text.utf8.count > limit { text.removeLast() }
        return text
    }
}
