import Concurrency
import CoreMetrics
import Foundation
import JSON
import Logging
import Metering
import Postgres
import Tasks

/// Watches the queues of tasks on a thread of its own: one worker at a time for all of them, by a
/// lease that holds what it remembers; the others read there what it has found.
package final class TaskQueueMonitor: Sendable {
    private let store: TaskStore
    private let limits: TaskAlertLimits
    private let interval: Duration
    private let holder = TaskID.random()
    private let drain = DrainSignal()
    private let logger: Logger

    /// - Parameter database: gets one more session.
    package init(
        database: ConnectionTarget,
        limits: TaskAlertLimits,
        interval: Duration,
        logger: Logger
    ) {
        store = TaskStore(
            sessions: SessionPool(
                target: database,
                limit: 1,
                applicationName: "amity task monitor",
                statementTimeout: .seconds(4)
            )
        )
        self.limits = limits
        self.interval = interval
        self.logger = logger
    }

    /// Starts its thread, unless no alert is wanted.
    package func start() {
        if limits.tasks == 0 && limits.waitSeconds == 0 { return }
        startThread(name: "amity-task-watch", stackBytes: 512 << 10) { self.run() }
    }

    /// Another worker watches soon.
    package func stop() { drain.raise() }

    private func run() {
        var gauges: [String: Gauge] = [:]
        var hasRaised = false
        var chores = Chores()
        chores.add(Chore(every: interval)) {
            do throws(PostgresError) {
                let active = try self.look().active
                hasRaised = active.values.contains { !$0.isEmpty }
                Self.show(active, in: &gauges)
            } catch {
                // An outage is logged by the components that it stops.
                self.logger.debug("tasks.watch-failed", metadata: ["error": "\(error)"])
            }
            return .done
        }
        chores.run(by: drain)
        do throws(PostgresError) {
            try store.releaseWatch(holder, keepsMemory: hasRaised)
        } catch {
            // The lease runs out by itself.
            logger.debug("tasks.watch-not-released", metadata: ["error": "\(error)"])
        }
    }

    private func look() throws(PostgresError) -> TaskQueueWatch {
        let stored = try store.watch()
        var watch = stored?.memory.flatMap(Self.decoded) ?? TaskQueueWatch()
        if let stored, stored.isLiving, stored.holder != holder { return watch }
        let marks = try store.marks(of: watch.watched)
        let events = watch.take(
            try store.queued(),
            waiting: Set(marks.filter { $0.value.state.isWaiting }.keys),
            at: Date().timeIntervalSince1970,
            limits
        )
        let memory = JSONEncoder.stored.certainText(watch)
        let lease = max(15, 3 * (interval / .seconds(1)))
        // Logged only by the worker that could store it, so each event is logged once.
        if try store.keepWatch(holder, for: lease, memory: memory) {
            for event in events { log(event) }
        }
        return watch
    }

    /// Another version of Amity may have written what this one cannot read.
    private static func decoded(_ memory: String) -> TaskQueueWatch? {
        do {
            return try JSONDecoder().decode(TaskQueueWatch.self, from: Data(memory.utf8))
        } catch { return nil }
    }

    private static func show(
        _ active: [String: Set<TaskAlertName>],
        in gauges: inout [String: Gauge]
    ) {
        for queue in active.keys {
            for name in TaskAlertName.allCases where gauges["\(queue) \(name.rawValue)"] == nil {
                gauges["\(queue) \(name.rawValue)"] = Metric.alertActive.gauge(queue, name.rawValue)
            }
        }
        let raised = Set(active.flatMap { queue, names in names.map { "\(queue) \($0.rawValue)" } })
        for (key, gauge) in gauges { gauge.record(raised.contains(key) ? 1 : 0) }
    }

    private func log(_ event: TaskAlertEvent) {
        switch event {
        case .raised(let name, let queue, let value, let threshold):
            logger.warning(
                "alert.raised",
                metadata: [
                    "alert": "\(name.rawValue)", "queue": "\(queue)",
                    "value": .stringConvertible(value),
                    "threshold": .stringConvertible(threshold),
                ]
            )
        case .cleared(let name, let queue, let seconds):
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

extension TaskState {
    fileprivate var isWaiting: Bool { self == .queued || self == .waiting }
}
