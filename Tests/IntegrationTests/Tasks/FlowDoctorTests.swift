import Foundation
import Postgres
import Testing

@testable import Schedules
@testable import Tasks

extension Integration {
    /// What `amity doctor` says of schedules and events that do not come.
    struct FlowDoctorTests {
        private func findings(_ scene: Scene) throws -> [String] {
            try scene.report(["EVENTS": "tasks"]).findings
                .filter { ["schedules", "events", "unseen"].contains($0.check) }
                .map { "\($0.level) \($0.check)" }
        }

        @Test func schedulesAndEventsThatDoNotComeAreNamed() throws {
            let schedules = try ScheduleScene()
            let tasks = schedules.tasks
            try schedules.define("nightly", "@daily")
            // No worker lives.
            #expect(try findings(tasks.scene) == ["warning schedules"])
            try tasks.store.renewWorker(
                TaskScene.worker,
                facts: #"{"name":"a:1","pools":["default"],"threads":1,"types":["test"]}"#
            )
            #expect(try findings(tasks.scene) == [])
            // Its time has passed for months, and one leads.
            try tasks.sql(
                """
                INSERT INTO amity_leases (name, holder, renewed_at, lease_until)
                VALUES ('scheduler', '\(TaskScene.worker)', now(), now() + interval '1 hour')
                """
            )
            #expect(try findings(tasks.scene) == ["warning schedules"])
            try tasks.sql("UPDATE amity_schedules SET time_zone = 'Mars/Base'")
            #expect(try findings(tasks.scene) == ["error schedules"])
            _ = try schedules.store.pause("nightly")
            #expect(try findings(tasks.scene) == [])
            try tasks.sql("ALTER TABLE amity_tasks DISABLE TRIGGER amity_task_moved")
            #expect(try findings(tasks.scene) == ["error events"])
        }
    }
}
