import AMQP
import Concurrency
import Consuming
import Foundation
import HostResources
import Logging
import Messaging
import Postgres
import TaskConsuming
import Tasks
import WorkerHealth
import WorkerRuntime

package struct TaskWorkerOptions: Sendable {
    package var endpoint: Endpoint
    /// Says what type of queue is declared where one is missing.
    package var topology: Topology
    package var database: ConnectionTarget
    /// Whose tasks it takes, at least one.
    package var pools: [String]
    /// Tasks that run at once, 1 or more; each thread has a session of its own.
    package var threads: Int
    /// How long what runs may take to finish once a drain has begun.
    package var drainTimeout: Duration
    package var stallTimeout: Duration
    /// As long as a message waits here at most while nothing begins.
    package var patience = ClaimDispatcher.patience

    package init(
        endpoint: Endpoint,
        topology: Topology,
        database: ConnectionTarget,
        pools: [String],
        threads: Int,
        drainTimeout: Duration,
        stallTimeout: Duration
    ) {
        self.endpoint = endpoint
        self.topology = topology
        self.database = database
        self.pools = pools
        self.threads = threads
        self.drainTimeout = drainTimeout
        self.stallTimeout = stallTimeout
    }
}

/// Runs the tasks of some pools: four queues of each, threads and sessions of its own, so that
/// neither conversations nor tasks wait for the other.
package final class TaskWorker: Sendable {
    private let options: TaskWorkerOptions
    private let consumer: QueueSetConsumer
    private let dispatcher: ClaimDispatcher
    private let runner: TaskRunner
    private let keeper: RunKeeper
    private let health: TaskHealth
    private let metrics = TaskMetrics()
    private let drain = DrainSignal()
    private let consumerStopped = MonotonicSemaphore(value: 0)
    private let logger: Logger
    private let pool: ThreadPool

    /// - Parameters:
    ///   - handlers: what this worker can run; a message of another type goes back.
    ///   - outlet: for tasks whose limits let them begin when another ends; started before this
    ///     worker and stopped after it.
    ///   - consumption: whether messages are taken at all.
    ///   - resources: says when less is to be begun.
    ///   - onExhaustion: called once when as many threads as it has are lost to runs that do not
    ///     end.
    ///   - onDrainAsked: called once when an operator has asked this worker to stop.
    package init(
        _ options: TaskWorkerOptions,
        handlers: HandlerSet,
        outlet: any TaskOutlet,
        consumption: Consumption,
        readiness: Readiness,
        health links: LinkHealth = LinkHealth(),
        resources: ResourceMonitor,
        onExhaustion: @escaping @Sendable () -> Void,
        onDrainAsked: @escaping @Sendable () -> Void,
        logger: Logger
    ) {
        self.options = options
        self.logger = logger
        let process = ProcessInfo.processInfo
        let name = "\(process.hostName):\(process.processIdentifier)"
        let health = TaskHealth(links: links, logger: logger)
        self.health = health
        let queues = options.pools.flatMap(TaskQueue.all)
        // More than twice as many as threads wait for nothing.
        let prefetch = UInt16(clamping: max(10, options.threads))
        consumer = QueueSetConsumer(
            settings: .init(
                endpoint: options.endpoint.named("amity tasks \(name)"),
                topology: options.topology,
                queues: queues.map(\.name),
                prefetch: prefetch,
                stallTimeout: options.stallTimeout
            ),
            consumption: consumption,
            readiness: readiness,
            health: links,
            logger: logger
        )
        runner = TaskRunner(
            worker: .random(),
            threads: options.threads,
            store: TaskStore(sessions: Self.sessions(options, options.threads)),
            handlers: handlers,
            outlet: outlet,
            health: health,
            drain: drain,
            metrics: metrics,
            logger: logger
        )
        pool = ThreadPool(count: options.threads, name: "amity-task")
        dispatcher = ClaimDispatcher(
            pool: pool,
            sources: queues.map { WorkKind.Priority($0.priority) },
            completions: consumer.completions,
            patience: options.patience,
            onFree: { [consumer] in consumer.wake() },
            onRest: { [runner] slot in runner.settle(slot) },
            claim: { [runner] delivery, isAlone, slot in
                runner.claim(delivery, isAlone: isAlone, on: slot)
            }
        )
        resources.onChange { [dispatcher] share in dispatcher.hold(to: share) }
        let own = handlers.callbacks == nil ? [] : [TaskCallback.type]
        let types = Set(handlers.swift.keys).union(handlers.commands.keys).union(own).sorted()
        keeper = RunKeeper(
            runner,
            store: TaskStore(sessions: Self.sessions(options, 1, limit: .seconds(4))),
            health: health,
            threads: options.threads,
            facts: { [dispatcher, runner] in
                let waiting = dispatcher.waiting
                return RunKeeper.Facts(
                    name: name,
                    pools: options.pools,
                    threads: options.threads,
                    types: types,
                    running: runner.runs.all.values.count { $0.phase != .claiming },
                    lost: runner.runs.lostThreads,
                    resources: resources.latest,
                    unclaimed: Dictionary(
                        uniqueKeysWithValues: zip(queues, waiting).filter { $0.1 > 0 }
                            .map { ($0.name, $1) }
                    )
                )
            },
            onExhaustion: onExhaustion,
            onDrainAsked: onDrainAsked,
            onPauses: { [runner, consumer] pauses in
                runner.paused(pauses)
                let paused = queues.indices.filter { pauses.contains(.pool(queues[$0].pool)) }
                consumer.pause(Set(paused))
            },
            logger: logger
        )
        // Until the keeper has read what is paused.
        consumer.pause(Set(queues.indices))
    }

    private static func sessions(
        _ options: TaskWorkerOptions,
        _ count: Int,
        limit: Duration = .seconds(10)
    ) -> SessionPool {
        SessionPool(
            target: options.database,
            limit: count,
            applicationName: "amity tasks",
            statementTimeout: limit,
            // Chosen: where a server is frozen, all threads wait for so long before they go on
            // with another.
            patience: limit + .seconds(5)
        )
    }

    /// Of the channel thread.
    package var pulse: Pulse { consumer.pulse }

    /// Begins; returns at once.
    package func start() {
        logger.notice(
            "tasks.started",
            metadata: [
                "pools": "\(options.pools.joined(separator: ","))",
                "threads": .stringConvertible(options.threads), "worker": "\(runner.worker)",
            ]
        )
        keeper.start()
        consumer.start(deliveringTo: dispatcher) { [consumerStopped] in consumerStopped.signal() }
    }

    /// Takes no more messages. Returns at once.
    package func requestDrain() {
        consumer.requestDrain()
        runner.runs.drains()
    }

    /// Waits until what runs has ended, at most for the drain's time; what is left then is given
    /// back, no attempt spent. Blocks the calling thread. It does not begin again.
    package func finish() {
        requestDrain()
        let isIdle = runner.runs.waitUntilIdle(atMost: options.drainTimeout)
        drain.raise()
        if !isIdle {
            runner.runs.stopAll(for: .drained)
            _ = runner.runs.waitUntilIdle(atMost: .milliseconds(1500))
            giveBackTheRest()
        }
        health.end.raise()
        consumerStopped.wait(atMost: .seconds(2))
        keeper.stop(within: .milliseconds(700))
        runner.close()
        pool.close()
        logger.notice("tasks.stopped")
    }

    /// Handlers that do not stop: their process ends now.
    private func giveBackTheRest() {
        for (key, run) in runner.runs.all where run.phase != .writtenOff {
            do throws(PostgresError) {
                _ = try runner.store.giveBack(key.id, run: key.run, worker: runner.worker)
            } catch {
                health.failed(error)
                return
            }
        }
    }

    /// Refreshes the gauges that are read on demand.
    package func refreshMetrics() {
        let load = dispatcher.load
        metrics.threads(busy: load.busy, of: load.limit, lost: runner.runs.lostThreads)
    }
}

extension WorkKind.Priority {
    fileprivate init(_ priority: Tasks.Priority) {
        self =
            switch priority {
            case .critical: .critical
            case .high: .high
            case .normal: .normal
            case .low: .low
            }
    }
}
