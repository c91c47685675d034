import Concurrency
import DeadLetters
import Doctor
import FlowOperations
import Foundation
import HostResources
import Logging
import Operations
import Postgres
import Settings
import Tasks
import WorkerHealth
import WorkerRuntime

// What each module is told of the settings.

extension ResourceMonitor {
    /// Watches where the process works and may write, and where its documents are.
    ///
    /// - Parameter threads: that begin work; nil for those of a worker.
    package convenience init(
        settings: WorkerSettings,
        threads: Int? = nil,
        health: LinkHealth,
        logger: Logger
    ) {
        var folders = [
            WatchedFolder("working", FileManager.default.currentDirectoryPath),
            WatchedFolder("temporary", NSTemporaryDirectory()),
        ]
        if let root = settings.tasks.documentRoot { folders.append(.init("documents", root)) }
        self.init(
            folders,
            marks: settings.memoryMarks,
            threads: threads
                ?? max(
                    settings.concurrency,
                    settings.tasks.pools.isEmpty ? 1 : settings.tasks.threads
                ),
            health: health,
            logger: logger
        )
    }
}

extension AutomaticConcurrency {
    /// Where there is something to find: the number of threads, or how many take batches.
    static func start(
        _ settings: WorkerSettings,
        batchLimit: Int,
        of dispatcher: Dispatcher,
        until drain: DrainSignal,
        logger: Logger
    ) {
        if !settings.isConcurrencyAutomatic && batchLimit == 1 { return }
        AutomaticConcurrency(
            settings.isConcurrencyAutomatic ? .threads : .batches,
            of: dispatcher,
            most: settings.concurrency,
            memory: settings.memoryMarks,
            drain: drain,
            logger: logger
        ).start()
    }
}

extension WorkerSettings {
    func flowService(
        over operatorService: WorkerOperatorService,
        logger: Logger
    ) -> WorkerFlowService {
        WorkerFlowService(
            operatorService,
            events: tasks.events,
            endpoint: endpoint.named("amity dashboard"),
            logger: logger
        )
    }

    package var memoryMarks: MemoryMarks { MemoryMarks(high: memoryHigh) }

    package var deadLetters: DeadLetterOptions {
        DeadLetterOptions(
            endpoint: endpoint,
            topology: topology,
            retentionDays: deadLetterRetentionDays
        )
    }

    package var explainer: ExplainerOptions {
        ExplainerOptions(
            endpoint: endpoint,
            topology: topology,
            weights: weights,
            taskTimeout: taskTimeout,
            sweepAfter: sweepAfter
        )
    }

    package var queue: QueueOptions {
        QueueOptions(
            endpoint: endpoint,
            topology: topology,
            management: monitoring.management
        )
    }

    var monitor: MonitorOptions {
        MonitorOptions(
            queue: queue,
            interval: monitoring.interval,
            limits: AlertLimits(
                queueDepth: monitoring.alertQueueDepth,
                oldestAge: monitoring.alertOldestAge,
                deadLetters: monitoring.alertDeadLetters,
                // Work may take its time, and a consumer that is stalled begins anew by itself.
                stalledAfter: (stallTimeout + taskTimeout) / .seconds(1)
            )
        )
    }

    package var doctor: DoctorOptions {
        var services: AnalysisSettings.Services?
        if case .services(let given) = analysis.mode { services = given }
        return DoctorOptions(
            endpoint: endpoint,
            topology: topology,
            database: database,
            sessionsMax: databaseSessionsMax,
            threads: concurrency,
            prefetch: Int(prefetch(batchLimit: batchMax)),
            messageMaxBytes: messageMaxBytes,
            taskTimeout: taskTimeout,
            consumerTimeout: consumerTimeout,
            alertDeadLetters: monitoring.alertDeadLetters,
            management: monitoring.management,
            services: services,
            taskQueues: tasks.pools.flatMap(TaskQueue.all).map(\.name),
            writesTaskEvents: tasks.events.contains(.tasks)
        )
    }

    /// As the registry shows them.
    ///
    /// - Parameters:
    ///   - batchLimit: most messages that a thread takes at once.
    ///   - prefetch: most unsettled deliveries.
    func registered(batchLimit: Int, prefetch: UInt16) -> WorkerStats.Settings {
        WorkerStats.Settings(
            threads: concurrency,
            isConcurrencyAutomatic: isConcurrencyAutomatic,
            batchMax: batchLimit,
            prefetch: Int(prefetch),
            sessionsMax: databaseSessionsMax,
            maxAttempts: maxAttempts,
            taskTimeoutSeconds: taskTimeout / .seconds(1)
        )
    }

    /// A session for a command, a process of its own.
    package func session(named name: String) -> SessionPool {
        SessionPool(
            target: taskDatabase,
            limit: 1,
            applicationName: name,
            statementTimeout: taskTimeout
        )
    }
}
