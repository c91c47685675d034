import Foundation
import Logging
import Messaging
import Postgres
import TestSupport
import Testing
import WorkerHealth

@testable import Settings
@testable import TaskScheduling
@testable import Tasks

/// A scene with tasks in a pool of its own, and what brings them to the broker.
final class SchedulingScene {
    let tasks: TaskScene
    let pool: String

    init(settings: [String: String] = [:]) throws {
        tasks = try TaskScene(settings: settings)
        pool = tasks.scene.name.replacing("_", with: "-")
    }

    var store: TaskStore { tasks.store }

    // MARK: Tasks

    /// Makes tasks, as a process does that dies before it publishes them.
    ///
    /// - Returns: what it would have published.
    @discardableResult
    func submit(
        _ count: Int = 1,
        pool: String? = nil,
        _ change: (inout NewTask) -> Void = { _ in }
    ) throws -> [Publication] {
        let requests = (0..<count).map { _ in
            SubmitRequest([
                TaskScene.task {
                    $0.pool = pool ?? self.pool
                    change(&$0)
                }
            ])
        }
        return try store.submit(requests).flatMap { outcome -> [Publication] in
            guard case .accepted(_, let publications) = try outcome.get() else { return [] }
            return publications
        }
    }

    /// The only one there is.
    func onlyTask() throws -> TaskView {
        try #require(try store.list(TaskFilter(), limit: 2).first)
    }

    /// How many tasks are queued and at rest.
    func atRest() throws -> Int { try store.depths().map(\.atRest).reduce(0, +) }

    // MARK: Broker

    func queue(_ priority: Priority = .normal, of pool: String? = nil) -> TestQueue {
        TestQueue(
            name: TaskQueue(pool: pool ?? self.pool, priority: priority).name,
            endpoint: tasks.scene.settings.endpoint
        )
    }

    /// Takes messages out of the queue of the normal priority.
    ///
    /// - Returns: the ids and runs that they name, sorted.
    func take(_ count: Int) throws -> [String] {
        try queue().take(count).map { String(decoding: $0.body, as: UTF8.self) }.sorted()
    }

    static func body(_ publication: Publication) -> String {
        #"{"task_id":"\#(publication.id)","run":\#(publication.run)}"#
    }

    // MARK: Processes

    /// A process that has a scheduler.
    struct Process: Sendable {
        let publisher: TaskPublisher
        let scheduler: Scheduler
        let health: LinkHealth

        func stop() {
            scheduler.stop()
            publisher.stop()
        }
    }

    /// Started.
    func process(
        through proxy: Proxy? = nil,
        _ change: (inout Scheduler.Options) -> Void = { _ in }
    ) throws -> Process {
        var variables = tasks.scene.variables
        for name in ["RABBITMQ_URL", "DATABASE_URL"] {
            if let proxy { variables[name] = variables[name].map(proxy.rerouted) }
        }
        return try Self.process(variables, change)
    }

    static func process(
        _ variables: [String: String],
        _ change: (inout Scheduler.Options) -> Void = { _ in }
    ) throws -> Process {
        let settings = try WorkerSettings(SettingValues { variables[$0] })
        let health = LinkHealth()
        let publisher = TaskPublisher(
            TaskStore(
                sessions: SessionPool(
                    target: settings.taskDatabase,
                    limit: 1,
                    applicationName: "tasks",
                    statementTimeout: .seconds(5)
                )
            ),
            endpoint: settings.endpoint,
            topology: settings.topology,
            health: health,
            logger: quiet
        )
        var options = Scheduler.Options(
            database: settings.taskDatabase,
            endpoint: settings.endpoint
        )
        options.writesEvents = !settings.tasks.events.isEmpty
        change(&options)
        let scheduler = Scheduler(
            options,
            id: try #require(TaskID(UUID().uuidString)),
            publisher: publisher,
            health: health,
            logger: quiet
        )
        publisher.start()
        scheduler.start()
        return Process(publisher: publisher, scheduler: scheduler, health: health)
    }
}
