import Foundation
import Postgres
import Testing

@testable import TaskTypes
@testable import Tasks

extension Integration {
    /// Tasks in `amity status` and `amity doctor`, on real tables.
    struct OperatorViewTests {
        private func findings(
            _ tasks: TaskScene,
            _ extra: [String: String] = ["TASK_QUEUES": "default"]
        ) throws -> [String] {
            try tasks.scene.report(extra).findings.filter { $0.check.hasPrefix("task-") }
                .map { "\($0.level) \($0.check)" }
        }

        private func lease(_ tasks: TaskScene, _ types: String = #"["test"]"#) throws {
            let facts = #"{"name":"a:1","pools":["default"],"threads":1,"types":\#(types)}"#
            try tasks.store.renewWorker(TaskScene.worker, facts: facts)
        }

        @Test func theDoctorSeesWhoTakesWhat() throws {
            let tasks = try TaskScene()
            #expect(try findings(tasks) == [])
            let owner = tasks.ownersStore()
            try owner.apply([
                TaskType(name: "test", handler: .swift),
                TaskType(name: "away", handler: .http(url: "https://a/b", secret: nil)),
            ])
            let id = try tasks.submit()
            let both = ["error task-scheduler", "error task-workers"]
            #expect(try findings(tasks, [:]).sorted() == both)
            _ = try tasks.store.renewLeader(TaskScene.otherWorker)
            try lease(tasks)
            #expect(try findings(tasks) == [])
            try lease(tasks, "[]")
            #expect(try findings(tasks) == ["warning task-workers"])
            try lease(tasks)
            try tasks.claim(id, run: 1)
            #expect(try findings(tasks) == [])
            try tasks.sql(
                "UPDATE amity_tasks SET started_at = clock_timestamp() - interval '6 minutes'"
            )
            try lease(tasks)
            _ = try tasks.store.renewLeader(TaskScene.otherWorker)
            #expect(try findings(tasks) == ["warning task-threads"])
        }

        /// Fault: a worker that is to take tasks starts without their tables or grants.
        @Test func theDoctorSeesTablesAndGrantsOfTasks() throws {
            let tasks = try TaskScene()
            func found() throws -> [String] {
                try tasks.scene.report(["TASK_QUEUES": "default"]).findings
                    .filter { ["schema", "grants"].contains($0.check) }
                    .map { "\($0.level) \($0.check): \($0.text)" }
            }
            #expect(try found() == [])
            try tasks.sql("REVOKE UPDATE ON amity_tasks FROM \(tasks.scene.name)")
            #expect(try found().first?.contains("error grants") == true)
            #expect(try found().first?.contains("-v tasks=1") == true)
            try tasks.sql("DROP TABLE amity_tasks")
            #expect(try found().first?.contains("error schema") == true)
            let others = try tasks.scene.report([:]).findings
            #expect(!others.contains { ["schema", "grants"].contains($0.check) })
        }

        @Test func theStatusHasALineForEachPool() throws {
            let tasks = try TaskScene()
            func status(_ arguments: String...) throws -> String {
                try tasks.scene.amity(["status"] + arguments).output
            }
            #expect(try !status().contains("tasks"))
            _ = try tasks.submit()
            _ = try tasks.submit { $0.priority = .low }
            _ = try tasks.begin { $0.pool = "gpu" }
            let lines = try status().split(separator: "\n").map { line in
                line.split(separator: " ").joined(separator: " ")
            }
            let start = try #require(lines.firstIndex(of: "tasks"))
            let block = Array(lines[start...].prefix(4))
            #expect(block[1] == "pool critical high normal low running oldest", "\(block)")
            #expect(block[2].hasPrefix("default 0 0 1 1 0 "), "\(block)")
            #expect(block[3] == "gpu 0 0 0 0 1 -", "\(block)")
            let json = try JSONSerialization.jsonObject(with: Data(status("--json").utf8))
            let queues = (json as? [String: Any])?["tasks"] as? [[String: Any]]
            #expect(queues?.map { $0["priority"] as? String } == ["normal", "low", "normal"])
            #expect(queues?.map { $0["waiting"] as? Int } == [1, 1, 0])
            try tasks.sql("DROP TABLE amity_tasks")
            let without = try tasks.scene.amity(["status", "--json"])
            #expect(without.status == 0 && !without.output.contains("\"tasks\""))
        }
    }
}
