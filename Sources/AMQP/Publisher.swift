import CoreMetrics
import Failpoints
import Foundation
import Logging
import WorkerRuntime

/// Publishes with confirms, from a connection and a thread of its own: a connection that the
/// broker blocks for want of memory stops settling, too, so the consumer's must never publish.
///
/// A message whose connection is lost before its confirm is published again on the next, so it may
/// arrive twice and is never lost. The connection is opened when the first message comes.
package final class Publisher: Sendable {
    /// What the broker made of a message.
    package enum Result: Sendable, Equatable {
        /// It has it, durably.
        case confirmed
        /// No queue took it.
        case returned
        /// It refused it, e.g. at a length limit with reject-publish.
        case refused
        /// The publisher was stopped first.
        case abandoned
    }

    private let endpoint: Endpoint
    private let topology: Topology
    /// Whether a message that the broker does not take is tried again until it does, its queue made
    /// anew where it is missing, or reported to its sender.
    private let insists: Bool
    private let health: LinkHealth
    private let bell = EventBell()
    private let requests: Mailbox<PublishRequest>
    private let drain = DrainSignal()
    private let stopped = DispatchSemaphore(value: 0)
    /// Of the connection there is.
    private let watch = Locked<Watchdog.Watch?>(nil)
    private let reconnects = Reconnects(of: "publisher", in: MetricsSystem.factory)
    private let logger: Logger

    package init(
        endpoint: Endpoint,
        topology: Topology,
        insists: Bool,
        health: LinkHealth = LinkHealth(),
        logger: Logger
    ) {
        self.endpoint = endpoint
        self.topology = topology
        self.insists = insists
        self.health = health
        self.logger = logger
        requests = Mailbox(bell: bell)
    }

    /// Stack of a thread on which connections are opened.
    package static let stackBytes = Connection.stackBytes

    package func start() {
        startThread(name: "amity-publisher", stackBytes: Self.stackBytes) {
            self.run()
            self.stopped.signal()
        }
    }

    /// Hands a message over; returns at once.
    ///
    /// - Parameter completion: called once, on the publisher's thread; must not block.
    package func publish(
        _ message: Message,
        exchange: String = "",
        routingKey: String,
        completion: @escaping @Sendable (Result) -> Void
    ) {
        requests.post(
            PublishRequest(
                message: message,
                exchange: exchange,
                routingKey: routingKey,
                completion: completion
            )
        )
    }

    /// Stops the thread and waits for it. What is not confirmed by then is `.abandoned`.
    package func stop() {
        drain.raise()
        bell.ring()
        if stopped.wait(timeout: .now() + 2) == .success { return }
        // It is in a call to a broker that takes nothing.
        if let watch = watch.withLock({ $0 }) { Watchdog.shared.fire(watch) }
        stopped.wait()
    }

    private func run() {
        var backoff = Backoff()
        var attempt = 0
        var lostAt: ContinuousClock.Instant?
        var window = PublishWindow(insists: insists)
        while !drain.isRaised {
            window.add(requests.drain())
            if window.count == 0 {
                bell.wait(orReadable: nil, timeout: .seconds(60))
                continue
            }
            do throws(AMQPError) {
                defer { attempt += 1 }
                try publish(&window, attempt: attempt) {
                    backoff.reset()
                    health.works(.publisher)
                    if lostAt != nil {
                        logger.logEnd("publisher.connection-restored", of: lostAt.take())
                    }
                }
            } catch {
                reconnects.count(error)
                window.connectionLost()
                let delay = backoff.next()
                let notice = health.failed(error.problem(of: .publisher))
                logger.log(
                    level: notice.isLogged ? .error : .debug,
                    "publisher.connection-lost",
                    metadata: [
                        "error": "\(error)", "unconfirmed": .stringConvertible(window.count),
                        "retry_in_seconds": .stringConvertible(delay / .seconds(1)),
                    ]
                )
                lostAt = lostAt ?? .now
                drain.wait(for: delay)
            }
        }
        window.add(requests.drain())
        window.abandon()
    }

    /// One connection's worth of publishing; returns when told to stop.
    private func publish(
        _ window: inout PublishWindow,
        attempt: Int,
        onProgress: () -> Void
    ) throws(AMQPError) {
        let connection = try Connection(to: endpoint, attempt: attempt, timeout: .seconds(5))
        try connection.openChannel()
        try topology.ensure(on: connection, logger: logger)
        try connection.selectConfirms()
        watch.withLock { $0 = connection.watch }
        defer { watch.withLock { $0 = nil } }
        var assembler = MessageAssembler()
        var blockedAt: ContinuousClock.Instant?
        while !drain.isRaised {
            // To a broker that reads nothing more a publish could wait for ever.
            while blockedAt == nil, let request = window.next(at: .now) {
                try connection.publish(
                    request.message,
                    exchange: request.exchange,
                    routingKey: request.routingKey
                )
                Failpoint.retryPublished.hit()
            }
            while let frame = try connection.nextFrame() {
                switch frame {
                case .blocked(let reason):
                    blockedAt = .now
                    logger.warning("publisher.blocked", metadata: ["reason": "\(reason)"])
                case .unblocked:
                    logger.logEnd("publisher.unblocked", of: blockedAt.take())
                case _:
                    try take(frame, &assembler, &window, onProgress)
                }
            }
            let heartbeat = connection.heartbeatSeconds
            let limit: Duration = heartbeat > 0 ? .seconds(heartbeat) / 2 : .seconds(5)
            let due =
                blockedAt == nil
                ? window.nextDue.map { ContinuousClock.now.duration(to: $0) } : nil
            bell.wait(orReadable: connection.descriptor, timeout: min(limit, due ?? limit))
            window.add(requests.drain())
        }
        // A broker that has not confirmed may be one that reads nothing, for want of memory or disk:
        // its answer to a goodbye would cost the drain ten seconds more.
        if window.count == 0 { try connection.close() }
    }

    private func take(
        _ frame: Frame,
        _ assembler: inout MessageAssembler,
        _ window: inout PublishWindow,
        _ onProgress: () -> Void
    ) throws(AMQPError) {
        switch frame {
        case .closed(let error):
            throw error
        case .confirm(let tag, let multiple, let isAck):
            Failpoint.retryConfirmed.hit()
            let result: Result = isAck ? .confirmed : .refused
            mend(window.confirm(tag: tag, multiple: multiple, as: result, at: .now))
            onProgress()
        case .delivery, .returned, .header, .body, .consumerCancelled, .blocked, .unblocked, .other:
            if case .returned(_, let message) = try assembler.take(frame) {
                window.returned(message)
            }
        }
    }

    /// Says which messages wait, and makes the queue that they may be missing, once for all of them.
    /// Others go on meanwhile.
    private func mend(_ refused: [(request: PublishRequest, result: Result)]) {
        for (request, reason) in refused {
            logger.error(
                "publisher.message-not-taken",
                metadata: ["queue": "\(request.routingKey)", "reason": "\(reason)"]
            )
        }
        guard refused.contains(where: { $0.result == .returned }) else { return }
        do throws(AMQPError) {
            try topology.ensure(at: endpoint, logger: logger)
        } catch {
            logger.error("publisher.queue-not-declared", metadata: ["error": "\(error)"])
        }
    }
}
