import AMQP
import Concurrency
import CoreMetrics
import Events
import Logging
import Metering
import Postgres
import Schedules
import Tasks
import WorkerHealth

/// Moves tasks that something has to happen to: those whose time has come, whose process died
/// before it could publish them, whose deadline is over, whose worker or message was lost.
///
/// Each process may have one; the one that leads works, by a lease in the database. Four threads:
/// one holds the lease, one takes the turns, one does what may take its time, one sends events.
package final class Scheduler: Sendable {
    package struct Options: Sendable {
        package var database: ConnectionTarget
        package var endpoint: Endpoint
        /// For how long tasks are kept that have ended; zero for ever.
        package var retentionDays = 7
        /// Between two looks for lost messages.
        package var lookInterval = Duration.seconds(60)
        /// Whether this process writes events.
        package var writesEvents = false

        package init(database: ConnectionTarget, endpoint: Endpoint) {
            self.database = database
            self.endpoint = endpoint
        }
    }

    /// Names this scheduler in its lease.
    private let id: TaskID
    private let options: Options
    private let publisher: TaskPublisher
    private let health: SchedulingHealth
    /// For the turns and for the upkeep.
    private let store: TaskStore
    private let schedules: ScheduleStore
    /// On a session of its own: no statement of another thread delays a renewal.
    private let leaseStore: TaskStore
    private let events: EventRelay
    private let leadership = Locked(Leadership())
    private let drain = DrainSignal()
    private let ended = MonotonicSemaphore(value: 0)
    private let leads = Metric.schedulerLeads.gauge()

    /// - Parameters:
    ///   - id: of the process; no other one may have the same.
    ///   - publisher: of the process; its owner starts it before and stops it after the scheduler.
    ///   - health: told of what does not work.
    package init(
        _ options: Options,
        id: TaskID,
        publisher: TaskPublisher,
        health: LinkHealth = LinkHealth(),
        logger: Logger
    ) {
        self.id = id
        self.options = options
        self.publisher = publisher
        self.health = SchedulingHealth(links: health, logger: logger)
        func sessions(_ limit: Int, _ timeout: Duration) -> SessionPool {
            SessionPool(
                target: options.database,
                limit: limit,
                applicationName: "amity scheduler",
                statementTimeout: timeout
            )
        }
        let shared = sessions(2, .seconds(10))
        store = TaskStore(sessions: shared)
        schedules = ScheduleStore(sessions: shared)
        leaseStore = TaskStore(sessions: sessions(1, .seconds(2)))
        events = EventRelay(
            database: options.database,
            endpoint: options.endpoint,
            isOn: options.writesEvents,
            health: health,
            logger: logger
        )
    }

    package func start() {
        startThread(name: "amity-lead", stackBytes: 512 << 10) { self.holdLease() }
        startThread(name: "amity-schedule", stackBytes: 512 << 10) {
            SchedulerTurns(self.store, self.schedules, self.publisher, self.health).run(
                until: self.drain,
                leading: { self.leadership.withLock(\.self) }
            )
            self.ended.signal()
        }
        startThread(name: "amity-upkeep", stackBytes: Publisher.stackBytes) {
            SchedulerUpkeep(self.store, self.publisher, self.health, self.options).run(
                until: self.drain,
                isLeading: { self.isLeading }
            )
            self.ended.signal()
        }
        startThread(name: "amity-events", stackBytes: Publisher.stackBytes) {
            self.events.run(until: self.drain, isLeading: { self.isLeading })
            self.ended.signal()
        }
    }

    /// Ends, and lets another process lead at once. Blocks the calling thread.
    package func stop(within limit: Duration = .seconds(5)) {
        drain.raise()
        let deadline = ContinuousClock.now + limit
        for _ in 0..<4 {
            ended.wait(atMost: max(.zero, ContinuousClock.now.duration(to: deadline)))
        }
    }

    package var isLeading: Bool { leadership.withLock { $0.leads(at: .now) } }

    // MARK: The lease's thread

    private func holdLease() {
        var isLeading = false
        repeat {
            renew()
            if self.isLeading != isLeading {
                isLeading.toggle()
                leads.record(isLeading ? 1 : 0)
                health.logger.info(isLeading ? "scheduler.leads" : "scheduler.follows")
                drain.wake()
            }
        } while !drain.wait(for: Leadership.interval)
        release()
        leads.record(0)
        ended.signal()
    }

    private func renew() {
        let sentAt = ContinuousClock.now
        do throws(PostgresError) {
            let leads = try leaseStore.renewLeader(id)
            leadership.withLock { $0.answered(leads: leads, sentAt: sentAt, at: .now) }
            // While it leads its turns tell more.
            if !leads { health.databaseWorks() }
        } catch {
            leadership.withLock { $0.failed() }
            health.failed(error)
        }
    }

    private func release() {
        leadership.withLock { $0 = Leadership() }
        do throws(PostgresError) {
            try leaseStore.releaseLeader(id)
        } catch {
            // The lease runs out by itself.
            health.logger.debug("scheduler.lease-not-released", metadata: ["error": "\(error)"])
        }
    }
}
