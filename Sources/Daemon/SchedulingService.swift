import AMQP
import Concurrency
import Logging
import Postgres
import ServiceLifecycle
import Settings
import TaskScheduling
import TaskTypes
import Tasks
import WorkerHealth

/// What brings tasks to the broker, in each process that makes or runs tasks. Listed before those
/// services that hand it tasks, so that it ends after them.
package final class SchedulingService: Service {
    /// For tasks that this process makes.
    package let publisher: TaskPublisher
    private let store: TaskStore
    private let scheduler: Scheduler
    private let writesEvents: Bool
    private let logger: Logger
    private let end = DrainSignal()
    private let isScheduling = Locked(false)
    /// Whether it schedules, or has ended before.
    private let decided = MonotonicSemaphore(value: 0)

    /// Between two looks for tables of tasks. Chosen.
    private static let pause = Duration.seconds(5)

    package init(settings: WorkerSettings, health: LinkHealth, logger: Logger) {
        self.logger = logger
        store = TaskStore(
            sessions: SessionPool(
                target: settings.database,
                limit: 2,
                applicationName: "amity publisher",
                statementTimeout: .seconds(5)
            )
        )
        publisher = TaskPublisher(
            store,
            endpoint: settings.endpoint,
            topology: settings.topology,
            health: health,
            logger: logger
        )
        var options = Scheduler.Options(
            database: settings.taskDatabase,
            endpoint: settings.endpoint
        )
        options.retentionDays = settings.tasks.retentionDays
        writesEvents = !settings.tasks.events.isEmpty
        options.writesEvents = writesEvents
        scheduler = Scheduler(
            options,
            id: .random(),
            publisher: publisher,
            health: health,
            logger: logger
        )
    }

    package func run() async throws {
        publisher.start()
        startThread(name: "amity-schedule-start", stackBytes: 512 << 10) { self.startScheduler() }
        do {
            try await gracefulShutdown()
        } catch {
            // Cancelled, because another part could not begin: it ends all the same.
        }
        await onThread("amity-schedule-stop") {
            self.end.raise()
            self.decided.wait()
            if self.isScheduling.withLock(\.self) { self.scheduler.stop(within: .seconds(2)) }
            self.publisher.stop(within: .seconds(2))
        }
    }

    /// Once there are tasks: their tables and grants may come later. Events that are written have
    /// to be sent: without the tables or grants it complains.
    private func startScheduler() {
        defer { decided.signal() }
        var isFirst = true
        while !end.isRaised {
            if writesEvents || hasTasks(tellsIfNot: isFirst) {
                isScheduling.withLock { $0 = true }
                return scheduler.start()
            }
            isFirst = false
            end.wait(for: Self.pause)
        }
    }

    /// Runs what blocks.
    private func onThread<R: Sendable>(
        _ name: String,
        _ body: @escaping @Sendable () -> R
    ) async -> R {
        await withCheckedContinuation { done in
            startThread(name: name, stackBytes: 512 << 10) { done.resume(returning: body()) }
        }
    }

    /// Where the database has no tables of tasks, or this role no grants on them, there is nothing
    /// to schedule, and nothing to complain of again and again.
    private func hasTasks(tellsIfNot: Bool) -> Bool {
        do throws(PostgresError) {
            _ = try store.types()
            return true
        } catch {
            guard error.isMissingOrForbidden else { return true }
            if !tellsIfNot { return false }
            logger.notice(
                "scheduler.no-tasks",
                metadata: [
                    "error": "\(error)",
                    "remedy": "for tasks run amity migrate, and deploy/grants.sql with -v tasks=1",
                ]
            )
            return false
        }
    }
}
