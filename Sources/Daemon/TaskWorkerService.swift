import Concurrency
import Consuming
import Glibc
import HostResources
import Logging
import Operations
import ServiceLifecycle
import Settings
import TaskRunning
import Tasks
import WorkerHealth

/// The tasks of a worker: runs them until it is told to stop, then drains.
package final class TaskWorkerService: Service {
    /// As many threads as it has were lost to runs that did not come back: what these hold, only
    /// the end of the process frees.
    package struct ThreadsLost: Error, CustomStringConvertible {
        package let description =
            "too many threads are lost to handlers that did not return after their time limits"
    }

    private let worker: TaskWorker
    private let monitor: TaskQueueMonitor
    private let areThreadsLost: Locked<Bool>

    /// - Parameters:
    ///   - handlers: what it can run.
    ///   - outlet: of the process; ends after this.
    ///   - consumption: whether messages are taken at all.
    ///   - resources: its owner starts it.
    package init(
        settings: WorkerSettings,
        handlers: HandlerSet,
        outlet: any TaskOutlet,
        consumption: Consumption,
        readiness: Readiness,
        health: LinkHealth,
        resources: ResourceMonitor,
        logger: Logger
    ) {
        let areThreadsLost = Locked(false)
        monitor = TaskQueueMonitor(
            database: settings.database,
            limits: TaskAlertLimits(
                tasks: settings.tasks.alertQueueDepth,
                waitSeconds: settings.tasks.alertWait
            ),
            interval: settings.monitoring.interval,
            logger: logger
        )
        self.areThreadsLost = areThreadsLost
        worker = TaskWorker(
            TaskWorkerOptions(
                endpoint: settings.endpoint,
                topology: settings.topology,
                database: settings.taskDatabase,
                pools: settings.tasks.pools,
                threads: settings.tasks.threads,
                drainTimeout: settings.drainTimeout,
                stallTimeout: settings.stallTimeout
            ),
            handlers: handlers,
            outlet: outlet,
            consumption: consumption,
            readiness: readiness,
            health: health,
            resources: resources,
            onExhaustion: {
                areThreadsLost.withLock { $0 = true }
                // The whole process drains, as for any other stop.
                kill(getpid(), SIGTERM)
            },
            onDrainAsked: { kill(getpid(), SIGTERM) },
            logger: logger
        )
    }

    /// Of its channel thread.
    package var pulse: Pulse { worker.pulse }

    /// Refreshes the metrics that are read on demand.
    package func refreshMetrics() { worker.refreshMetrics() }

    package func run() async throws {
        worker.start()
        monitor.start()
        do {
            try await gracefulShutdown()
        } catch {
            // Cancelled, because another part could not begin: it ends all the same.
        }
        await withCheckedContinuation { stopped in
            monitor.stop()
            startThread(name: "amity-task-stop", stackBytes: 512 << 10) { [worker] in
                worker.finish()
                stopped.resume()
            }
        }
        if areThreadsLost.withLock(\.self) { throw ThreadsLost() }
    }
}
