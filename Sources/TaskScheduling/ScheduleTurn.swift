import CoreMetrics
import Logging
import Metering
import Postgres
import Schedules
import Storage

/// Has due schedules make their tasks, as a part of the turns of the scheduler that leads.
struct ScheduleTurn {
    private let store: ScheduleStore
    private let publisher: TaskPublisher
    private let logger: Logger
    private let table: OptionalTable
    private let made = Metric.scheduleTicks.counter("made")
    private let unique = Metric.scheduleTicks.counter("unique")
    private let failed = Metric.scheduleTicks.counter("failed")

    init(_ store: ScheduleStore, _ publisher: TaskPublisher, _ logger: Logger) {
        self.store = store
        self.publisher = publisher
        self.logger = logger
        // A database that an earlier version has set up has tasks and no schedules.
        table = OptionalTable(
            missing: "scheduler.no-schedules",
            found: "scheduler.schedules-restored",
            triedAgainAfter: .seconds(60),
            logger: logger
        )
    }

    /// - Returns: whether more are due.
    func take() throws(PostgresError) -> Bool {
        guard table.mayBeThere else { return false }
        let begin = ContinuousClock.now
        let ticks: Ticks
        do throws(PostgresError) {
            ticks = try store.tick()
            table.isThere()
        } catch {
            guard error.isMissingOrForbidden else { throw error }
            table.isMissing(error)
            return false
        }
        publisher.publish(ticks.toPublish, leasedAt: begin)
        made.increment(by: ticks.made)
        unique.increment(by: ticks.unique)
        failed.increment(by: ticks.failures.count)
        for (name, reason) in ticks.failures {
            logger.warning(
                "scheduler.schedule-failed",
                metadata: ["schedule": "\(name)", "error": "\(reason)"]
            )
        }
        return ticks.hasMore
    }
}
