import Foundation
import Postgres
import TestSupport
import Testing

@testable import Operations
@testable import Tasks

extension Integration {
    struct TaskAlertTests {
        private func told(_ workers: [RunningWorker], _ event: String) -> [String] {
            workers.flatMap { $0.events(event) }.compactMap { event in
                guard let alert = event["alert"] as? String, alert.hasPrefix("task_") else {
                    return nil
                }
                return "\(alert) \(event["queue"] ?? "")"
            }.sorted()
        }

        /// Faults: tasks that no worker takes wait, and no operator is told; or each worker tells;
        /// or the next one tells again.
        @Test func whatWaitsIsToldOnceAndGoesOnWithTheNextWorker() throws {
            let tasks = try TaskWorkerScene()
            let scene = tasks.tasks.scene
            for _ in 0..<3 { _ = try tasks.tasks.submit("elsewhere") { $0.pool = "none" } }
            // No message is needed for it.
            try tasks.tasks.sql(
                "UPDATE amity_tasks SET due_at = clock_timestamp() + interval '1 hour'"
            )
            let settings = [
                "TASK_QUEUES": tasks.pool, "MONITOR_INTERVAL_SECONDS": "1",
                "ALERT_TASK_QUEUE_DEPTH": "3", "ALERT_TASK_WAIT_SECONDS": "2",
            ]
            var workers = try (0..<2).map { _ in try scene.startWorker(settings) }
            let both = ["task_queue_depth none.normal", "task_wait none.normal"]
            try eventually("both alerts are raised") { told(workers, "alert.raised") == both }
            for worker in workers { worker.signal(SIGTERM) }
            for worker in workers { #expect(try worker.waitForExit() == 0) }
            workers.append(try scene.startWorker(settings))
            try eventually("it watches") {
                try tasks.tasks.store.watch()?.isLiving == true
            }
            _ = try tasks.tasks.store.cancelAll(TaskFilter(), isDry: false)
            try eventually("both alerts end") { told(workers, "alert.cleared") == both }
            #expect(told(workers, "alert.raised") == both)
            workers[2].signal(SIGTERM)
            #expect(try workers[2].waitForExit() == 0)
            #expect(try tasks.tasks.store.watch() == nil)
        }

        /// Fault: tasks go from worker to worker, none can run them, and no alert can know.
        @Test func aTypeThatAWorkerCannotRunIsCounted() throws {
            let tasks = try TaskWorkerScene()
            let port = RawConnection.freePort()
            let settings = ["TASK_QUEUES": tasks.pool, "HTTP_PORT": "\(port)"]
            let worker = try tasks.tasks.scene.startWorker(settings)
            let id = try tasks.tasks.submit("elsewhere") { $0.pool = tasks.pool }
            try worker.waitUntilConsuming()
            // It comes again every five seconds.
            let line = /amity_tasks_unhandled_total{task_type="elsewhere"} [1-9]/
            try eventually("it is counted") {
                try RawAnswer.get("/metrics", port: port).body.contains(line)
            }
            #expect(try tasks.store.get(id)?.view.attempts == 0)
            #expect(!worker.events("task.type-unhandled").isEmpty)
        }
    }
}
