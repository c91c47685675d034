import DeadLetters
import Doctor
import Operations
import Postgres
import Settings
import Tasks

// What each module is told of the settings.

extension WorkerSettings {
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
    /// - Parameter batchLimit: most messages that a thread takes at once.
    func registered(batchLimit: Int) -> WorkerStats.Settings {
        WorkerStats.Settings(
            threads: concurrency,
            isConcurrencyAutomatic: isConcurrencyAutomatic,
            batchMax: batchLimit,
            prefetch: Int(prefetch(batchLimit: batchLimit)),
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
