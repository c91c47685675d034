import Foundation
import TestSupport
import Testing

@testable import TaskTypes
@testable import Tasks

extension Integration {
    /// Tasks whose broker is away, or drops their messages.
    struct TaskBrokerFaultTests {
        /// Fault: a client is refused, or waits, for a broker that is away; or what it sent begins
        /// long after the broker's return.
        @Test func whatIsSentWithoutABrokerBeginsSoonAfterItsReturn() throws {
            let proxy = try Proxy(to: Servers.port("RABBITMQ_URL"))
            let scene = try TaskAPIScene(through: proxy)
            let pool = scene.tasks.scene.name.replacing("_", with: "-")
            try scene.tasks.ownersStore().apply([
                TaskType(name: "test", pool: pool, handler: .swift)
            ])
            let worker = try scene.tasks.scene.startWorker(["TASK_QUEUES": pool], through: proxy)
            func wait(for id: TaskID) throws {
                try eventually("it is completed") { try scene.tasks.state(id) == .completed }
            }
            try wait(for: try scene.submit())

            proxy.refuse()
            proxy.dropAll()
            try eventually("it is noticed") {
                !worker.events("task-consumer.connection-lost").isEmpty
            }
            let ids = try (0..<5).map { _ in try scene.submit() }
            try eventually("the leases of their messages are over", within: .seconds(10)) {
                let due = "SELECT FROM amity_tasks WHERE state = 3 AND due_at < clock_timestamp()"
                return try scene.tasks.sql(due).count == ids.count
            }
            let end = ContinuousClock.now
            proxy.endFaults()
            try wait(for: ids[0])
            // Ten are promised until it begins, whose pauses `noPauseIsOverEightSeconds` bounds.
            #expect(end.duration(to: .now) < .seconds(15))
            for id in ids {
                try wait(for: id)
                let view = try #require(try scene.tasks.store.get(id)).view
                #expect(view.run == 1 && view.attempts == 0)
            }
        }

        /// Fault: a policy of the broker drops messages that it has confirmed, and their tasks wait
        /// for ever.
        @Test func whatAPolicyDropsIsPublishedAgain() throws {
            let scene = try SchedulingScene()
            let process = try scene.process { $0.lookInterval = .seconds(1) }
            defer { process.stop() }
            let policies: [(Priority, String)] = [
                (.high, #"{"message-ttl":1}"#), (.low, #"{"max-length":2}"#),
            ]
            for (priority, policy) in policies {
                let name = scene.queue(priority).name
                try Servers.rabbitmqctl(
                    "set_policy",
                    name,
                    "^\(name)$",
                    policy,
                    "--apply-to",
                    "queues"
                )
                process.publisher.publish(
                    try scene.submit(5) { $0.priority = priority },
                    leasedAt: .now
                )
            }
            try eventually("all are at rest") { try scene.atRest() == 10 }
            try eventually("their messages are dropped") {
                try scene.queue(.high).ready() == 0 && scene.queue(.low).ready() == 2
            }
            for (priority, _) in policies {
                try Servers.rabbitmqctl("clear_policy", scene.queue(priority).name)
            }
            let worker = try scene.tasks.scene.startWorker(["TASK_QUEUES": scene.pool])
            try waitForAll(10, in: scene)
            withExtendedLifetime(worker) {}
        }

        /// Fault: a queue is purged, and its tasks wait for ever; or what a worker holds is taken
        /// for lost.
        @Test func whatIsPurgedIsPublishedAgainAndWhatAWorkerHoldsIsNot() throws {
            let scene = try SchedulingScene()
            let queue = scene.queue()
            let process = try scene.process { $0.lookInterval = .seconds(1) }
            defer { process.stop() }
            try eventually("it leads") { process.scheduler.isLeading }
            let worker = try scene.tasks.scene.startWorker([
                "TASK_QUEUES": scene.pool, "TASK_CONCURRENCY": "1",
            ])
            let first = try scene.submit {
                ($0.type, $0.payload) = ("benchmark", #"{"sleep_ms":60000}"#)
            }
            process.publisher.publish(first, leasedAt: .now)
            try eventually("it is busy") {
                try scene.tasks.state(first[0].id) == .processing
            }
            process.publisher.publish(try scene.submit(13), leasedAt: .now)
            try eventually("it holds ten") {
                try scene.store.unclaimed()[queue.name] == 10 && scene.atRest() == 13
            }
            #expect(try queue.ready() == 3)
            try Servers.rabbitmqctl("purge_queue", queue.name)
            try eventually("there are messages again") { try queue.ready() > 0 }
            try eventually("all are at rest again") { try scene.atRest() == 13 }
            #expect(try queue.ready() == 3)
            _ = try scene.store.cancel(first[0].id)
            try waitForAll(13, in: scene)
            withExtendedLifetime(worker) {}
        }

        /// Each by its first run, however often its message came.
        private func waitForAll(_ count: Int, in scene: SchedulingScene) throws {
            let done = """
                SELECT FROM amity_tasks
                WHERE type = 'test' AND state = 5 AND run = 1 AND attempts = 0
                """
            try eventually("all are completed") { try scene.tasks.sql(done).count == count }
        }
    }
}
