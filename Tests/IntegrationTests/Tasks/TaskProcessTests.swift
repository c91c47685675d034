import Foundation
import Postgres
import Testing

@testable import TaskAPI
@testable import Tasks

extension Integration {
    /// Whole processes that run tasks.
    struct TaskProcessTests {
        /// Fault: it works in a test's process, and not as people start it.
        @Test func aWorkerRunsTasksBesideConversations() throws {
            let tasks = try TaskWorkerScene()
            let scene = tasks.tasks.scene
            try scene.addConversation("c", user: "u")
            let worker = try scene.startWorker(["TASK_QUEUES": tasks.pool, "TASK_CONCURRENCY": "3"])
            // Their messages were never sent: the scheduler finds the rows.
            let ids = try (0..<5).map { _ in try tasks.tasks.submit { $0.pool = tasks.pool } }
            let late = try tasks.tasks.submit { ($0.pool, $0.delay) = (tasks.pool, 1) }
            try scene.publish(ids: "c")
            for id in ids + [late] {
                try tasks.wait(for: id, toBe: .completed, within: .seconds(40))
            }
            try eventually("the conversation is scored") { try scene.score(of: "u") != nil }
            worker.signal(SIGTERM)
            #expect(try worker.waitForExit() == 0)
            let names = Set(
                worker.events(["tasks.started", "scheduler.leads", "tasks.stopped"]).compactMap {
                    $0["event"] as? String ?? $0["message"] as? String
                }
            )
            #expect(names.count == 3)
            let leases = try tasks.tasks.sql("SELECT count(*) FROM amity_leases").integer(0, 0)
            #expect(leases == 0, "all are given up")
        }

        /// Fault: a fleet is made smaller by a kill, in the middle of a run.
        @Test func aWorkerDrainsWhenItIsAskedTo() throws {
            let tasks = try TaskWorkerScene()
            let scene = tasks.tasks.scene
            let worker = try scene.startWorker(["TASK_QUEUES": tasks.pool])
            try eventually("it has a lease") { try !tasks.tasks.store.workers().isEmpty }
            let id = try #require(try tasks.tasks.store.workers().first).worker
            #expect(try !tasks.tasks.store.askToDrain(TaskID(firstAt: 1)), "it does not live")
            #expect(try tasks.tasks.store.askToDrain(id))
            #expect(try tasks.tasks.store.askToDrain(id), "twice is once")
            #expect(try worker.waitForExit() == 0)
            #expect(worker.events(["tasks.drain-asked"]).count == 1)
            let leases = try tasks.tasks.sql("SELECT count(*) FROM amity_leases").integer(0, 0)
            #expect(leases == 0, "the next worker is not asked")
        }

        /// Fault: a worker that may declare nothing finds no queue.
        @Test func theirQueuesCanBeMadeBefore() throws {
            let tasks = try TaskWorkerScene()
            let owner = try tasks.tasks.scene.asOwner()
            let done = try tasks.tasks.scene.amity(
                ["migrate", "--topology"],
                owner.merging(["TASK_QUEUES": tasks.pool]) { _, new in new }
            )
            #expect(done.status == 0, "\(done.error)")
            #expect(done.output.contains("task queues of \(tasks.pool) are complete"))
            // A look at one that is not there is an error.
            for priority in Priority.allCases {
                #expect(try tasks.queue(priority).consumers() == 0)
            }
        }
    }
}
