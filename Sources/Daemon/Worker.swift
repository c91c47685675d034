// Where the rooms below meet: settings, the handler of conversations with its SQL, migrations, the
// publisher of conversations, and the composition of the worker.

import AMQP
import Concurrency
import Consuming
import ConversationPublishing
import Conversations
import DeadLetters
import FlowOperations
import Foundation
import HostResources
import Logging
import Operations
import Postgres
import ServiceLifecycle
import Settings
import WorkerHealth
import WorkerRuntime

/// The daemon: puts the rooms together, runs until it is told to stop, drains.
package final class Worker: Service {
    private let settings: WorkerSettings
    private let analyser: any Analyser
    /// Whether the worker consumes, and what prevents it.
    package let readiness: Readiness
    /// The problems of its links.
    package let health: LinkHealth
    /// Whether messages are taken; shared with the tasks of the same process.
    package let consumption = Consumption()
    /// Of the channel thread.
    package let pulse = Pulse(name: "channel")
    /// What operators can query and do; open from `run` on.
    package let operatorService: WorkerOperatorService
    package let flowService: WorkerFlowService
    private let metrics = WorkerMetrics()
    /// What the process uses; shared with the tasks of the same process.
    package let resources: ResourceMonitor
    private let process: ProcessStatistics
    /// nil where no service manager has set `NOTIFY_SOCKET`.
    private let manager: ServiceManager?
    /// Refreshes the gauges that are read on demand; nil until `run`.
    private let parts = Locked<(@Sendable () -> Void)?>(nil)
    private let others = Locked<(@Sendable () -> Void)?>(nil)
    private let otherPulses = Locked<[Pulse]>([])
    /// Of the registry's thread.
    private let wakeup = Wakeup()
    private let logger: Logger

    private var batchLimit: Int { analyser.largestBatch(settings.batchMax) }
    private var prefetch: UInt16 {
        settings.prefetch(batchLimit: batchLimit, isImmediate: analyser.isSometimesImmediate)
    }

    /// - Parameter health: shared with the analyser, which reports to it where it calls services.
    package init(
        settings: WorkerSettings,
        analyser: any Analyser,
        health: LinkHealth = LinkHealth(),
        logger: Logger
    ) {
        self.settings = settings
        self.analyser = analyser
        self.health = health
        self.logger = logger
        resources = ResourceMonitor(settings: settings, health: health, logger: logger)
        process = ProcessStatistics(resources, version: amityVersion)
        let manager = ServiceManager(ProcessInfo.processInfo.environment, logger: logger)
        self.manager = manager
        operatorService = WorkerOperatorService(
            explainer: settings.explainer,
            deadLetters: settings.deadLetters,
            logger: logger
        )
        flowService = settings.flowService(over: operatorService, logger: logger)
        readiness = Readiness(logger: logger) { [wakeup] blockers in
            manager?.changed(to: blockers)
            wakeup.ring()
        }
    }

    /// Refreshes the metrics that are read on demand.
    package func refreshMetrics() {
        process.look()
        parts.withLock { $0 }?()
        others.withLock { $0 }?()
    }

    /// Has a thread of another part of the process watched, too. To be called before `run`.
    package func alsoWatch(_ pulse: Pulse) { otherPulses.withLock { $0.append(pulse) } }

    /// Has metrics of another part of the process refreshed, too.
    package func alsoRefresh(_ refresh: @escaping @Sendable () -> Void) {
        others.withLock { $0 = refresh }
    }

    package func run() async throws {
        if analyser.isPaid { DescriptorLimit.raise(logger: logger) }
        let drain = DrainSignal()
        let counts = WorkerCounts()
        let host = ProcessInfo.processInfo
        let name = "\(host.hostName):\(host.processIdentifier)"
        let keeper = TopologyKeeper(
            endpoint: settings.endpoint.named("amity topology \(name)"),
            topology: settings.topology,
            health: health,
            drain: drain,
            logger: logger
        )
        let consumer = Consumer(
            settings: .init(
                endpoint: settings.endpoint.named("amity worker \(name)"),
                topology: settings.topology,
                prefetch: prefetch,
                bodyLimit: settings.messageMaxBytes,
                stallTimeout: settings.stallTimeout,
                drainTimeout: settings.drainTimeout
            ),
            drain: drain,
            readiness: readiness,
            health: health,
            keeper: keeper,
            consumption: consumption,
            counts: counts,
            pulse: pulse,
            logger: logger
        )
        let publisher = Publisher(
            endpoint: settings.endpoint.named("amity retries \(name)"),
            topology: settings.topology,
            insists: true,
            health: health,
            onRefusal: {
                keeper.lookSoon()
                consumer.wake()
            },
            logger: logger
        )
        let database = Database(
            settings,
            longQueue: Int(prefetch),
            consumption: consumer.consumption,
            readiness,
            health,
            drain,
            keeping: analyser.isPaid ? KeptAnalyses(logger: logger) : nil,
            logger
        )
        let consumptionSwitch = ConsumptionSwitch(
            consumption: consumer.consumption,
            readiness: readiness,
            logger: logger
        )
        // Sessions of conversations need no setting of tasks.
        let writesEvents = settings.tasks.events.contains(.tasks)
        operatorService.open(
            database.sessions,
            tasks: writesEvents ? settings.session(named: "amity dashboard") : database.sessions,
            consumptionSwitch
        )
        let repeated = RepeatedEvents(logger: logger)
        let policy = RetryPolicy(
            names: settings.topology.names,
            maxAttempts: settings.maxAttempts,
            maxCrashes: settings.maxCrashes,
            backoffSeconds: settings.topology.retrySeconds,
            worker: name
        )
        let dispatcher = Dispatcher(
            pool: ThreadPool(count: settings.concurrency, name: "amity"),
            kinds: kinds(on: database, policy, counts),
            unknown: policy,
            crashes: database.crashes,
            completions: consumer.completions,
            republisher: ConfirmedRepublisher(
                publisher: publisher,
                consumer: consumer
            ),
            journal: database.journal,
            drain: drain,
            counts: counts,
            metrics: metrics,
            repeated: repeated,
            logger: logger
        )
        let monitoring = monitoring(on: database, counts, consumer.consumption, drain)
        parts.withLock { parts in
            parts = { [metrics, readiness, health] in
                metrics.look(at: dispatcher, consumer.completions, readiness, health)
            }
        }
        logStart()
        AutomaticConcurrency.start(
            settings,
            batchLimit: batchLimit,
            of: dispatcher,
            until: drain,
            logger: logger
        )
        manager?.start(watching: [pulse, database.upkeep.pulse] + otherPulses.withLock { $0 })
        defer { manager?.end() }
        resources.onChange { [wakeup] share in
            dispatcher.hold(to: share)
            wakeup.ring()
        }
        resources.start()
        keeper.start()
        publisher.start()
        database.upkeep.start()
        monitoring.start()
        let switching = Task { await consumptionSwitch.obeySignals() }
        defer { switching.cancel() }
        let limit = settings.drainTimeout + .seconds(30)
        await withGracefulShutdownHandler {
            await withCheckedContinuation { stopped in
                consumer.start(deliveringTo: dispatcher, withheld: { publisher.withheld }) {
                    // Here, on a thread of our own, because it blocks.
                    publisher.stop()
                    repeated.flush()
                    let closed = MonotonicSemaphore(value: 0)
                    startThread(name: "amity-close", stackBytes: 512 << 10) {
                        database.journal.close()
                        database.crashes.close()
                        monitoring.close()
                        closed.signal()
                    }
                    // A database that does not answer must not hold up a stop.
                    closed.wait(atMost: .milliseconds(700))
                    stopped.resume()
                }
            }
        } onGracefulShutdown: { [logger, manager, analyser, settings] in
            ShutdownGuard.arm(limit: limit, logger: logger)
            manager?.stopping(within: limit)
            analyser.drain(within: settings.drainTimeout)
            consumer.requestDrain()
        }
        analyser.stop()
        logger.notice("worker.stopped")
    }

    /// What the worker does. A kind of work is added here; conversations' messages carry no type.
    private func kinds(
        on database: Database,
        _ policy: RetryPolicy,
        _ counts: WorkerCounts
    ) -> [WorkKind] {
        let conversations = ConversationHandler(
            store: database.store,
            analyser: analyser,
            weights: settings.weights,
            batchLimit: settings.batchMax,
            taskTimeout: settings.taskTimeout,
            holdLimit: settings.holdLimit,
            outage: database.outage,
            counts: counts,
            metrics: metrics,
            logger: logger
        )
        return [WorkKind(type: nil, handler: conversations, retryPolicy: policy)]
    }

    private func monitoring(
        on database: Database,
        _ counts: WorkerCounts,
        _ consumption: Consumption,
        _ drain: DrainSignal
    ) -> Monitoring {
        Monitoring(
            registry: WorkerRegistry(
                .init(
                    bootID: database.process,
                    queue: settings.topology.names.main,
                    settings: settings.registered(batchLimit: batchLimit, prefetch: prefetch)
                ),
                sessions: database.sessions,
                counts: counts,
                readiness: readiness,
                health: health,
                consumption: consumption,
                resources: resources,
                wakeup: wakeup,
                logger: logger,
                onLoss: database.upkeep.sweepSoon
            ),
            monitor: QueueMonitor(
                bootID: database.process,
                options: settings.monitor,
                sessions: database.sessions,
                health: health,
                drain: drain,
                logger: logger
            )
        )
    }

    private func logStart() {
        logger.notice(
            "worker.started",
            metadata: [
                "version": "\(amityVersion)", "queue": "\(settings.topology.names.main)",
                "threads": .stringConvertible(settings.concurrency),
                "is_automatic": .stringConvertible(settings.isConcurrencyAutomatic),
                "batch_max": .stringConvertible(batchLimit),
                "prefetch": .stringConvertible(prefetch),
                "analysis": "\(settings.analysis.name)",
                "sessions_max": .stringConvertible(settings.databaseSessionsMax),
            ]
        )
    }
}

/// What tells others of this worker and of its queue.
private struct Monitoring {
    let registry: WorkerRegistry
    let monitor: QueueMonitor

    func start() {
        registry.start()
        monitor.start()
    }

    func close() {
        registry.close()
        monitor.close()
    }
}

/// What of a worker hangs on the database.
private struct Database {
    /// Names this process among all that ever were.
    let process = UUID().uuidString
    let sessions: SessionPool
    let store: ConversationStore
    let outage: DatabaseOutage
    let crashes: DatabaseCrashLedger
    let journal: DatabaseJournal
    let upkeep: Upkeep

    init(
        _ settings: WorkerSettings,
        longQueue: Int,
        consumption: Consumption,
        _ readiness: Readiness,
        _ health: LinkHealth,
        _ drain: DrainSignal,
        keeping analyses: KeptAnalyses?,
        _ logger: Logger
    ) {
        sessions = SessionPool(
            target: settings.database,
            limit: settings.databaseSessionsMax,
            applicationName: "amity",
            statementTimeout: settings.taskTimeout
        )
        var store = ConversationStore(sessions: sessions, keeping: analyses)
        store.writesEvents = settings.tasks.events.contains(.scores)
        self.store = store
        outage = DatabaseOutage(
            consumption: consumption,
            readiness: readiness,
            health: health,
            logger: logger
        )
        crashes = DatabaseCrashLedger(
            sessions: sessions,
            store: store,
            outage: outage,
            process: process,
            holdLimit: settings.holdLimit,
            logger: logger
        )
        journal = DatabaseJournal(
            sessions: sessions,
            queue: settings.topology.names.main,
            logger: logger
        )
        let sweeper = Sweeper(
            sessions: sessions,
            endpoint: settings.endpoint,
            topology: settings.topology,
            after: settings.sweepAfter,
            taskTimeout: settings.taskTimeout,
            maxAttempts: settings.maxAttempts,
            longQueue: longQueue,
            logger: logger
        )
        upkeep = Upkeep(
            store: store,
            sweeper: sweeper,
            outage: outage,
            crashes: crashes,
            sessions: sessions,
            settings: settings,
            drain: drain,
            logger: logger
        )
    }
}
