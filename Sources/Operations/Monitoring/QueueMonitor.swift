import AMQP
import Concurrency
import DeadLetters
import Foundation
import JSON
import Logging
import Postgres
import Storage
import WorkerHealth

/// What of the queue is watched, how often, and when it is an alert.
package struct MonitorOptions: Sendable {
    package var queue: QueueOptions
    package var interval: Duration
    package var limits: AlertLimits

    package init(queue: QueueOptions, interval: Duration, limits: AlertLimits) {
        self.queue = queue
        self.interval = interval
        self.limits = limits
    }
}

/// Watches the queue on a thread of its own: one worker at a time for all of them, by a lease in
/// `amity_queues`, and the others read there what it has found.
///
/// Where that table is missing, each worker watches for itself, and each says what it finds.
package final class QueueMonitor: Sendable {
    private let bootID: String
    private let options: MonitorOptions
    private let sessions: SessionPool
    private let health: LinkHealth
    private let drain: DrainSignal
    private let logger: Logger

    package init(
        bootID: String,
        options: MonitorOptions,
        sessions: SessionPool,
        health: LinkHealth,
        drain: DrainSignal,
        logger: Logger
    ) {
        self.bootID = bootID
        self.options = options
        self.sessions = sessions
        self.health = health
        self.drain = drain
        self.logger = logger
    }

    /// Starts its thread, which ends with the drain, or with the process.
    package func start() {
        startThread(name: "amity-monitor", stackBytes: Publisher.stackBytes) { self.run() }
    }

    /// Releases the lease, so that another worker can watch at once.
    package func close() {
        let lease = lease
        do throws(PostgresError) {
            try sessions.withSession { session throws(PostgresError) in
                _ = try session.flight([lease.releasing])
            }
        } catch {
            // The lease runs out by itself.
            logger.debug("monitor.lease-not-released", metadata: ["error": "\(error)"])
        }
    }

    private var queue: String { options.queue.topology.names.main }

    private var lease: Lease {
        Lease(on: queue, by: bootID, renewedEvery: options.interval)
    }

    private func run() {
        let gauges = QueueGauges(queue: queue)
        var observer = QueueObserver(options.queue, connectionName: "amity monitor \(bootID)")
        // As it was last read or written: the database may lose its own in a crash.
        var watch = QueueWatch()
        var chores = Chores()
        chores.add(Chore(every: options.interval)) {
            self.inspect(&watch, &observer, gauges)
            return .done
        }
        chores.run(by: drain)
    }

    private func inspect(
        _ watch: inout QueueWatch,
        _ observer: inout QueueObserver,
        _ gauges: QueueGauges
    ) {
        do {
            switch try turn(&watch) {
            case .following(let stats):
                observer.rest()
                if let stats { gauges.record(stats) }
            case .leading: gauges.record(try lead(&watch, &observer, isAlone: false))
            case .alone: gauges.record(try lead(&watch, &observer, isAlone: true))
            }
        } catch {
            // An outage is logged by the components that it stops. The queue fills meanwhile.
            logger.debug("monitor.failed", metadata: ["error": "\(error)"])
            gauges.record(cached(watch, &observer))
        }
    }

    // MARK: Leading

    private enum Turn {
        case leading
        /// Another worker leads and has found this.
        case following(QueueStats?)
        /// There is no lease to be had.
        case alone
    }

    private func turn(_ watch: inout QueueWatch) throws(PostgresError) -> Turn {
        let flight: [(Statement, [Parameter])] = [
            lease.taking, (MonitorSQL.recall, [.text(queue)]),
        ]
        do throws(PostgresError) {
            let (isLeading, stored) = try sessions.withSession { session throws(PostgresError) in
                let answers = try session.flight(flight)
                let stored = try answers[1].first(MonitorSQL.recalled)
                return (Lease.isHeld(answers[0]), stored ?? (nil, nil))
            }
            watch = decoded(QueueWatch.self, stored.watch) ?? watch
            return isLeading ? .leading : .following(decoded(QueueStats.self, stored.stats))
        } catch {
            guard error.kind == .misconfigured else { throw error }
            return .alone
        }
    }

    /// Another version of Amity may have written what this one cannot read.
    private func decoded<Value: Decodable>(_ type: Value.Type, _ stored: Data?) -> Value? {
        guard let stored else { return nil }
        do {
            return try JSONDecoder().decode(type, from: stored)
        } catch {
            logger.debug("monitor.not-readable", metadata: ["value": "\(type)"])
            return nil
        }
    }

    private func lead(
        _ watch: inout QueueWatch,
        _ observer: inout QueueObserver,
        isAlone: Bool
    ) throws -> QueueStats {
        var look = try sessions.withSession { [queue] session throws(PostgresError) in
            try QueueLook.read(of: queue, isRegistered: !isAlone, in: &session)
        }
        if isAlone {
            // Without a registry it knows of itself alone.
            look.blockedWorkers = health.reports.contains { $0.problem.kind == .blocked } ? 1 : 0
        }
        ask(&observer, into: &look)
        do throws(ManagementError) {
            try observer.askManagement(into: &look)
        } catch {
            logger.debug("monitor.management-away", metadata: ["error": "\(error)"])
        }
        var next = watch
        let (stats, events) = next.take(look, of: queue, options.limits)
        // Logged only by the worker that could store it, so each event is logged once.
        if try isAlone || save(next, stats) {
            watch = next
            for event in events { log(event, stats) }
            if look.isDeadQueueEmpty { noticeGone() }
        }
        return stats
    }

    /// Rows of dead letters that should be in a queue that is empty.
    private func noticeGone() {
        let table = DeadLetterTable(sessions: sessions, queue: queue)
        do throws(PostgresError) {
            let gone = try table.markGone(olderThan: DeadLetterTable.youngest)
            if gone > 0 { logger.logGone(gone, of: options.queue.topology.names.dead) }
        } catch {
            logger.debug("dead-letters.gone-not-marked", metadata: ["error": "\(error)"])
        }
    }

    /// - Returns: false when another worker leads by now.
    private func save(_ watch: QueueWatch, _ stats: QueueStats) throws -> Bool {
        let encoder = JSONEncoder.stored
        let retrying = stats.ready == nil ? nil : stats.retrying.reduce(0) { $0 + $1.messages }
        func number(_ value: Int?) -> Parameter { value.map { .integer($0) } ?? .null }
        let flight: [(Statement, [Parameter])] = [
            (
                MonitorSQL.save,
                [
                    .text(queue), .text(bootID), .text(try encoder.text(watch)),
                    .text(try encoder.text(stats)), number(stats.ready),
                    stats.oldestAgeSeconds.map { .double($0) } ?? .null, number(retrying),
                    number(stats.deadLetters),
                ]
            ),
            (MonitorSQL.forgetSamples, []), (MonitorSQL.forgetQueues, []),
        ]
        return try sessions.withSession { session throws(PostgresError) in
            try session.flight(flight)[0].count > 0
        }
    }

    /// What the broker alone can tell; alerts stay as they were.
    private func cached(_ watch: QueueWatch, _ observer: inout QueueObserver) -> QueueStats {
        var look = QueueLook(at: Date().timeIntervalSince1970)
        ask(&observer, into: &look)
        var copy = watch
        return copy.take(look, of: queue, options.limits).0
    }

    private func ask(_ observer: inout QueueObserver, into look: inout QueueLook) {
        do throws(AMQPError) {
            try observer.look(into: &look)
        } catch {
            logger.debug("monitor.broker-away", metadata: ["error": "\(error)"])
        }
    }

    private func log(_ event: AlertEvent, _ stats: QueueStats) {
        switch event {
        case .raised(let name, let value, let threshold):
            var metadata: Logger.Metadata = ["alert": "\(name.rawValue)", "queue": "\(queue)"]
            metadata["value"] = value.map { .stringConvertible($0) }
            metadata["threshold"] = threshold.map { .stringConvertible($0) }
            if name == .foreignConsumers, let names = stats.foreignConsumers {
                metadata["consumers"] = .array(names.map { "\($0)" })
            }
            logger.warning("alert.raised", metadata: metadata)
        case .cleared(let name, let seconds):
            logger.notice(
                "alert.cleared",
                metadata: [
                    "alert": "\(name.rawValue)", "queue": "\(queue)",
                    "duration_seconds": .stringConvertible(seconds),
                ]
            )
        }
    }
}
