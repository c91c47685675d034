import CRabbitMQ
import Concurrency
import CoreMetrics
import Failpoints
import Logging
import WorkerHealth

/// One connection of a publisher, on a thread of its own.
final class PublisherLane: Sendable {
    struct Settings: Sendable {
        var endpoint: Endpoint
        var topology: Topology?
        /// Whether a message that the broker does not take is tried again until it does.
        var insists: Bool
        /// Most messages on the wire. With one it is known over which one the broker closes the
        /// channel.
        var limit: Int
    }

    private let settings: Settings
    private let health: LinkHealth
    private let drain: DrainSignal
    private let onRefusal: @Sendable () -> Void
    private let onSuspects: @Sendable ([PublishRequest]) -> Void
    private let bell = EventBell()
    private let requests: Mailbox<PublishRequest>
    private let stopped = MonotonicSemaphore(value: 0)
    /// Of the connection there is.
    private let watch = Locked<Watchdog.Watch?>(nil)
    /// Written by the lane's thread.
    private let held = Locked(Publisher.Withheld())
    private let reconnects = Reconnects(of: "publisher", in: MetricsSystem.factory)
    private let logger: Logger

    /// - Parameter onSuspects: given what was on the wire when the broker closed the channel; not
    ///   called by a lane that sends one at a time.
    init(
        _ settings: Settings,
        _ health: LinkHealth,
        _ drain: DrainSignal,
        onRefusal: @escaping @Sendable () -> Void,
        onSuspects: @escaping @Sendable ([PublishRequest]) -> Void,
        _ logger: Logger
    ) {
        self.settings = settings
        self.health = health
        self.drain = drain
        self.onRefusal = onRefusal
        self.onSuspects = onSuspects
        self.logger = logger
        requests = Mailbox(bell: bell)
    }

    func start(name: String) {
        startThread(name: name, stackBytes: Connection.stackBytes) {
            self.run()
            self.stopped.signal()
        }
    }

    func add(_ batch: [PublishRequest]) { requests.post(batch) }

    var withheld: Publisher.Withheld { held.withLock(\.self) }

    /// Waits for the end of the thread, once its drain signal is raised.
    func stop(within limit: Duration) {
        bell.ring()
        if stopped.wait(atMost: limit) { return }
        // It is in a call to a broker that takes nothing.
        if let watch = watch.withLock({ $0 }) { Watchdog.shared.fire(watch) }
        stopped.wait()
    }

    private var isSingle: Bool { settings.limit == 1 }

    /// A broker may never confirm what a new channel sent to a quorum queue between two leaders
    /// (seen with RabbitMQ 3.10.8), so an overdue confirm counts as a lost connection: what was
    /// sent is sent again. Longer than a broker under load takes; it grows, because a queue without
    /// a majority takes longer and may keep what it was sent each time. Chosen.
    private static let confirmPatience = Duration.seconds(10)
    private static let mostConfirmPatience = Duration.seconds(80)
    private static let overdue = AMQPError.unresponsive(during: "wait for a confirm")

    // MARK: The thread

    private func run() {
        var backoff = Backoff(ways: settings.endpoint.addresses.count)
        var attempt = 0
        var patience = Self.confirmPatience
        var lostAt: ContinuousClock.Instant?
        var window = PublishWindow(insists: settings.insists, limit: settings.limit)
        while !drain.isRaised {
            window.add(requests.drain())
            if window.count == 0 {
                bell.wait(orReadable: nil, timeout: .seconds(60))
                continue
            }
            do throws(AMQPError) {
                defer { attempt += 1 }
                try publish(&window, attempt: attempt, within: patience) {
                    backoff.reset()
                    patience = Self.confirmPatience
                    health.works(.publisher)
                    if lostAt != nil {
                        logger.logEnd("publisher.connection-restored", of: lostAt.take())
                    }
                }
            } catch {
                if drain.isRaised { break }
                reconnects.count(error)
                let isOverdue = error == Self.overdue
                if isOverdue { patience = min(patience * 2, Self.mostConfirmPatience) }
                if error.mayBeOneMessages || isOverdue && isSingle { setAside(&window, error) }
                window.connectionLost()
                let delay = backoff.next()
                logLoss(error, window.count, delay)
                lostAt = lostAt ?? .now
                drain.wait(for: delay)
            }
        }
        window.add(requests.drain())
        window.abandon()
    }

    private func logLoss(_ error: AMQPError, _ count: Int, _ delay: Duration) {
        let notice = health.failed(error.problem(of: .publisher))
        logger.log(
            level: notice.isLogged ? .error : .debug,
            "publisher.connection-lost",
            metadata: [
                "error": "\(error)", "unconfirmed": .stringConvertible(count),
                "retry_in_seconds": .stringConvertible(delay / .seconds(1)),
            ]
        )
    }

    /// One connection's worth of publishing; returns when told to stop.
    private func publish(
        _ window: inout PublishWindow,
        attempt: Int,
        within patience: Duration,
        onProgress: () -> Void
    ) throws(AMQPError) {
        let connection = try Connection(
            to: settings.endpoint,
            attempt: attempt,
            timeout: .seconds(5),
            until: drain
        )
        let watch = connection.watch
        // Nothing is on the wire yet: a stop may cut it.
        try drain.interrupting(by: { Watchdog.shared.fire(watch) }) { () throws(AMQPError) in
            try connection.openChannel()
            // What insists is a worker's, whose queues have a keeper.
            if !settings.insists {
                try settings.topology?.ensureMain(on: connection, logger: logger)
            }
            try connection.selectConfirms()
        }
        self.watch.withLock { $0 = watch }
        defer { self.watch.withLock { $0 = nil } }
        try publish(&window, on: connection, within: patience, onProgress)
        // A broker that has not confirmed may be one that reads nothing, for want of memory or
        // disk: it would not answer.
        if window.count == 0 { try connection.close(within: .milliseconds(500)) }
    }

    private func publish(
        _ window: inout PublishWindow,
        on connection: borrowing Connection,
        within patience: Duration,
        _ onProgress: () -> Void
    ) throws(AMQPError) {
        var unblockedAt = ContinuousClock.now
        var assembler = MessageAssembler()
        var blockedAt: ContinuousClock.Instant?
        var hasNack = false
        while !drain.isRaised {
            window.add(requests.drain())
            // A channel that has met a quorum queue without its leader goes on to refuse all
            // messages for it when there is a new one (seen with RabbitMQ 3.10.8): the next attempt
            // gets a new channel.
            if hasNack, window.isIdle, blockedAt == nil {
                try connection.renewChannel()
                try connection.selectConfirms()
                window.connectionLost()
                assembler = MessageAssembler()
                hasNack = false
            }
            // To a broker that reads nothing more a publish could wait for ever.
            while blockedAt == nil, let request = window.next(at: .now) {
                try connection.publish(
                    request.message,
                    exchange: request.exchange,
                    routingKey: request.routingKey
                )
                Failpoint.retryPublished.hit()
            }
            while let frame = try connection.nextFrame(during: "publish") {
                switch frame {
                case .blocked(let reason):
                    blockedAt = .now
                    logger.warning("publisher.blocked", metadata: ["reason": "\(reason)"])
                case .unblocked:
                    unblockedAt = .now
                    logger.logEnd("publisher.unblocked", of: blockedAt.take())
                case .closed(let error) where error.sparesConnection:
                    setAside(&window, error)
                    assembler = MessageAssembler()
                    try connection.reopenChannel()
                    try connection.selectConfirms()
                case _:
                    if case .confirm(_, _, isAck: false) = frame { hasNack = true }
                    try take(frame, &assembler, &window, onProgress)
                }
            }
            noteHeld(window, isBlocked: blockedAt != nil)
            var wakeAt = ContinuousClock.now + connection.longestSilence
            if blockedAt == nil {
                if let due = window.nextDue { wakeAt = min(wakeAt, due) }
                if let since = window.unconfirmedSince {
                    let limit = max(since, unblockedAt) + patience
                    if limit <= .now { throw Self.overdue }
                    wakeAt = min(wakeAt, limit)
                }
            }
            bell.wait(
                orReadable: connection.descriptor,
                timeout: ContinuousClock.now.duration(to: wakeAt)
            )
        }
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
            let result: Publisher.Result = isAck ? .confirmed : .refused
            let before = window.troubled
            let refusals = window.confirm(tag: tag, multiple: multiple, as: result, at: .now)
            if !before.isEmpty {
                for queue in before.subtracting(window.troubled) {
                    health.works(.publisher, Self.copies(to: queue))
                }
            }
            note(refusals, of: window)
            onProgress()
        case .delivery, .returned, .header, .body, .consumerCancelled, .blocked, .unblocked,
            .depth, .other:
            if case .returned(_, let message) = try assembler.take(frame) {
                window.returned(message)
            }
        }
    }

    // MARK: What the broker does not take

    /// A part of the link of its own: the queue may be there, which the topology's keeper sees, and
    /// take no copy all the same.
    fileprivate static func copies(to queue: String) -> String { "copies to \(queue)" }

    /// The broker has closed the channel, or the connection, over a message on the wire.
    private func setAside(_ window: inout PublishWindow, _ error: AMQPError) {
        if isSingle {
            let refusal = window.channelClosed(by: error, at: .now)
            note(refusal.map { [$0] } ?? [], of: window)
            return
        }
        let suspects = window.giveAway()
        logger.debug(
            "publisher.channel-closed",
            metadata: ["error": "\(error)", "suspects": .stringConvertible(suspects.count)]
        )
        onSuspects(suspects)
    }

    private func note(_ refusals: [PublishWindow.Refusal], of window: borrowing PublishWindow) {
        if refusals.isEmpty { return }
        let count = window.refused.count
        for refusal in refusals {
            let notice = health.failed(refusal.problem(among: count))
            logger.log(
                level: notice.isLogged || refusal.isWorthALine ? .error : .debug,
                "publisher.message-not-taken",
                metadata: refusal.metadata(among: count)
            )
        }
        noteHeld(window, isBlocked: false)
        onRefusal()
    }

    private func noteHeld(_ window: borrowing PublishWindow, isBlocked: Bool) {
        let now = isBlocked ? window.all : window.refused
        held.withLock { $0 = now }
    }
}

extension AMQPError {
    /// Whether one message on the wire may be what ended the connection.
    fileprivate var mayBeOneMessages: Bool {
        switch self {
        case .library(let status, _):
            status == AMQP_STATUS_TABLE_TOO_BIG.rawValue
                || status == AMQP_STATUS_BAD_AMQP_DATA.rawValue
        // 501 and more: errors of a frame, of a command, or the broker's own.
        case .closedByBroker(let code, _, _): code >= 501
        case .system, .insecure, .unresolved, .unresponsive, .interrupted, .consumerCancelled,
            .unsuitable, .stalled, .protocolViolation, .noCredentials:
            false
        }
    }
}

extension PublishWindow.Refusal {
    /// Each message over which the broker has closed a channel, once.
    fileprivate var isWorthALine: Bool {
        switch reason {
        case .closed: request.refusals == 1
        case .result: false
        }
    }

    fileprivate func metadata(among count: Int) -> Logger.Metadata {
        var metadata: Logger.Metadata = [
            "queue": "\(request.routingKey)", "reason": "\(reason)",
            "bytes": .stringConvertible(request.message.body.count),
            "refusals": .stringConvertible(request.refusals),
            "set_aside": .stringConvertible(count),
        ]
        metadata["message"] = request.message.properties.messageID.map { "\($0)" }
        metadata["subject"] = request.subject.map { "\($0)" }
        return metadata
    }

    /// - Parameter count: how many copies the broker does not take now.
    fileprivate func problem(among count: Int) -> LinkHealth.Problem {
        let queue = request.routingKey
        let subject = PublisherLane.copies(to: queue)
        let held = "\(count) \(count == 1 ? "copy waits" : "copies wait"), originals unsettled"
        switch reason {
        case .closed(let error):
            var problem = error.problem(of: .publisher, subject)
            if error.replyCode == ReplyCode.preconditionFailed {
                problem.kind = .notTaken
                problem.remedy =
                    "raise the broker's max_message_size, or take the message out of the queue"
            }
            problem.text += "; \(held)"
            return problem
        case .result(.returned):
            return .init(
                link: .publisher,
                subject: subject,
                kind: .missing,
                code: "returned",
                text: "queue \(queue) is not there for a copy; \(held)",
                remedy: "amity migrate declares it, where the user may"
            )
        case .result:
            return .init(
                link: .publisher,
                subject: subject,
                kind: .notTaken,
                code: "nack",
                text: "queue \(queue) takes no copy: it is full, or its node is away; \(held)",
                remedy: "look at its length limit (x-max-length, policies), and at the nodes"
            )
        }
    }
}
