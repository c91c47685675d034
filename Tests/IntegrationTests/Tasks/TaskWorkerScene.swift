import Concurrency
import Consuming
import Foundation
import HostResources
import Messaging
import Postgres
import Settings
import TaskRunning
import TestSupport
import Testing
import WorkerHealth

@testable import AMQP
@testable import Tasks

/// A pool of its own, with a worker in this process and handlers that a test drives.
final class TaskWorkerScene: SceneWithTasks {
    let tasks: TaskScene
    let pool: String
    private let broker: Endpoint
    private var workers: [TaskWorker] = []
    private var otherPools: [String] = []
    let health = LinkHealth()
    let readiness = Readiness(logger: quiet)
    let isExhausted = Locked(false)
    /// Of workers that are started from now on; looks when a test says so.
    var resources: ResourceMonitor

    init(settings: [String: String] = [:]) throws {
        tasks = try TaskScene(settings: settings)
        pool = Self.newPool()
        broker = tasks.scene.settings.endpoint
        resources = ResourceMonitor(
            [],
            marks: MemoryMarks(),
            threads: 4,
            health: health,
            logger: quiet
        )
    }

    deinit {
        for worker in workers { worker.finish() }
        for pool in [pool] + otherPools { TaskQueue.deleteAll(of: pool, at: broker) }
    }

    private static func newPool() -> String {
        String(UUID().uuidString.lowercased().prefix(30))
    }

    /// Makes up one for other workers.
    func otherPool() -> String {
        otherPools.append(Self.newPool())
        return otherPools[otherPools.count - 1]
    }

    func queue(_ priority: Tasks.Priority = .normal) -> TestQueue {
        TestQueue(
            name: TaskQueue(pool: pool, priority: priority).name,
            endpoint: broker
        )
    }

    /// Starts a worker and waits until it consumes.
    @discardableResult
    func start(
        threads: Int = 4,
        handlers: [String: any RunHandler],
        _ change: (inout TaskWorkerOptions) -> Void = { _ in }
    ) throws -> TaskWorker {
        let settings = tasks.scene.settings
        var options = TaskWorkerOptions(
            endpoint: broker,
            topology: settings.topology,
            database: settings.taskDatabase,
            pools: [pool],
            threads: threads,
            drainTimeout: .seconds(5),
            stallTimeout: .seconds(30)
        )
        change(&options)
        let worker = TaskWorker(
            options,
            handlers: HandlerSet(swift: handlers),
            outlet: outlet,
            consumption: Consumption(),
            readiness: readiness,
            health: health,
            resources: resources,
            onExhaustion: { [isExhausted] in isExhausted.withLock { $0 = true } },
            onDrainAsked: {},
            logger: quiet
        )
        // Else a look at one that the worker has not made yet is an error.
        try settings.topology.ensure(
            queuesNamed: TaskQueue.all(of: pool).map(\.name),
            at: broker,
            logger: quiet
        )
        workers.append(worker)
        worker.start()
        // Of a queue that no test pauses.
        try eventually("the worker consumes") { try queue(.critical).consumers() == workers.count }
        return worker
    }

    func stop(_ worker: TaskWorker) {
        worker.finish()
        workers.removeAll { $0 === worker }
    }

    /// Makes tasks and puts their messages on the broker, as a publisher would.
    @discardableResult
    func submit(
        _ count: Int = 1,
        type: String = "test",
        priority: Tasks.Priority = .normal,
        _ change: (inout NewTask) -> Void = { _ in }
    ) throws -> [TaskID] {
        let new = (0..<count).map { number in
            TaskScene.task(type, payload: "{\"number\":\(number)}") { task in
                task.pool = pool
                task.priority = priority
                change(&task)
            }
        }
        let requests = new.map { SubmitRequest([$0]) }
        var ids: [TaskID] = []
        for outcome in try store.submit(requests) {
            guard case .accepted(let made, let publications) = try outcome.get() else {
                throw TaskScene.Refused()
            }
            ids += made.tasks.map(\.id)
            for publication in publications { try publish(publication) }
        }
        return ids
    }

    private var outlet: TaskScene.Outlet { .init(settings: tasks.scene.settings) }

    func publish(_ publication: Publication) throws { try outlet.publish(publication) }

    func publish(_ id: TaskID, run: Int, type: String = "test", _ queue: TaskQueue) throws {
        try outlet.publish(id, run: run, type: type, queue)
    }
}

extension TaskQueue {
    /// Tidies up behind a test.
    static func deleteAll(of pool: String, at broker: Endpoint) {
        do {
            let connection = try Connection(to: broker, timeout: .seconds(10))
            try connection.openChannel()
            for queue in all(of: pool) { try connection.deleteQueue(queue.name) }
            try connection.close()
        } catch {
            Issue.record("the queues of \(pool) are left over: \(error)")
        }
    }
}

/// Does what a test says.
final class TestHandler: RunHandler {
    let needsToken = false
    /// Of the runs that have begun, in order.
    let begun = Locked<[ClaimedTask]>([])
    private let body: @Sendable (ClaimedTask, RunContext) -> RunEnd

    init(_ body: @escaping @Sendable (ClaimedTask, RunContext) -> RunEnd) {
        self.body = body
    }

    func run(_ task: ClaimedTask, in context: RunContext) -> RunEnd {
        begun.withLock { $0.append(task) }
        return body(task, context)
    }

    var count: Int { begun.withLock(\.count) }
}

/// Holds runs until it is opened.
final class Gate: Sendable {
    private let condition = MonotonicCondition()
    private let isOpen = Locked(false)

    func open() { condition.change { isOpen.withLock { $0 = true } } }

    func wait(orStopOf context: RunContext? = nil) {
        context?.onStop { [condition] _ in condition.change {} }
        condition.wait(atMost: .seconds(120)) { [isOpen] in
            isOpen.withLock(\.self) || context?.stopReason != nil
        }
    }
}

extension TaskScene {
    /// Brings tasks to the broker, each over a connection of its own.
    struct Outlet: TaskOutlet {
        let settings: WorkerSettings

        func publish(_ publications: [Publication], leasedAt: ContinuousClock.Instant) {
            do {
                for publication in publications { try publish(publication) }
            } catch {
                Issue.record("not published: \(error)")
            }
        }

        func publish(_ publication: Publication) throws {
            try publish(
                publication.id,
                run: publication.run,
                type: publication.type,
                publication.queue
            )
        }

        func publish(_ id: TaskID, run: Int, type: String, _ queue: TaskQueue) throws {
            let connection = try Connection(to: settings.endpoint, timeout: .seconds(10))
            try connection.openChannel()
            try settings.topology.ensure(
                settings.topology.queue(named: queue.name),
                on: connection,
                logger: quiet
            )
            var properties = MessageProperties()
            properties.type = type
            let body = Array("{\"task_id\":\"\(id)\",\"run\":\(run)}".utf8)
            try connection.publish(
                Message(properties: properties, body: body),
                exchange: "",
                routingKey: queue.name
            )
            try connection.close()
        }
    }
}
