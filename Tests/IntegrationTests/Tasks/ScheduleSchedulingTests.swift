import Failpoints
import Foundation
import TestSupport
import Testing

@testable import Schedules
@testable import TaskScheduling
@testable import Tasks

extension Integration {
    /// Schedules on their way to the broker, by the scheduler of a process.
    struct ScheduleSchedulingTests {
        private let scene: SchedulingScene
        private let schedules: ScheduleStore

        init() throws {
            scene = try SchedulingScene()
            schedules = ScheduleScene.store(on: scene.tasks.scene.settings.database)
            try scene.queue().declare([])
            try scene.tasks.sql(
                """
                INSERT INTO amity_task_types VALUES ('report', $1, 2, '{"kind": "swift"}', 30, 0)
                """,
                .text(scene.pool)
            )
        }

        /// Makes a schedule of every year that is due now.
        private func makeDue(_ name: String = "due") throws {
            let definition = ScheduleDefinition(name: name, cron: "0 0 1 1 *", type: "report")
            _ = try schedules.apply([definition])
            try scene.tasks.sql(
                """
                UPDATE amity_schedules SET next_at = clock_timestamp() - interval '1 second',
                    due_at = clock_timestamp() - interval '1 second' WHERE name = $1
                """,
                .text(name)
            )
        }

        /// Fault: the task of a tick waits until its lease is over.
        @Test func theTaskOfATickIsPublishedAtOnce() throws {
            let process = try scene.process()
            defer { process.stop() }
            try eventually("it leads") { process.scheduler.isLeading }
            let begin = ContinuousClock.now
            try makeDue()
            try eventually("it is at rest") { try scene.atRest() == 1 }
            #expect(begin.duration(to: .now) < .seconds(4))
            #expect(try scene.queue().take(1).first?.properties.type == "report")
            let schedule = try #require(try schedules.get("due"))
            #expect(try schedule.lastTask == scene.onlyTask().id)
            #expect(process.health.reports.isEmpty)
        }

        /// Fault: a leader that was killed between the task and the commit, or between the commit
        /// and the message, leaves a tick without a task, or with two.
        @Test(arguments: [Failpoint.written, .committed])
        func aLeaderThatIsKilledInATickLosesAndDoublesNothing(place: Failpoint) async throws {
            try makeDue()
            let variables = scene.tasks.scene.variables
            await #expect(processExitsWith: .signal(SIGKILL)) {
                [
                    variables = variables as [String: String],
                    place = place.rawValue as String
                ] in
                setenv("AMITY_FAILPOINT", "\(place):1", 1)
                let first = try SchedulingScene.process(variables)
                try eventually("it dies") { first.publisher.room < 0 }
            }
            let made = try scene.store.list(TaskFilter(), limit: 2).count
            #expect(made == (place == .written ? 0 : 1))
            #expect(try scene.queue().ready() == 0)
            let second = try scene.process()
            defer { second.stop() }
            try eventually("it is at rest", within: .seconds(20)) { try scene.atRest() == 1 }
            #expect(try scene.queue().ready() == 1)
            let schedule = try #require(try schedules.get("due"))
            #expect(try schedule.lastTask == scene.onlyTask().id)
            #expect(schedule.nextAt.map { $0 > .now } == true)
        }

        /// Fault: a database that an earlier version has set up has no schedules, and tasks wait.
        @Test func whereThereAreNoSchedulesTasksGoOn() throws {
            try scene.tasks.sql("DROP TABLE amity_schedules")
            let process = try scene.process()
            defer { process.stop() }
            try scene.submit { $0.delay = 0.1 }
            try eventually("it is at rest") { try scene.atRest() == 1 }
            try scene.submit { $0.delay = 1.5 }
            try eventually("it is at rest, too") { try scene.atRest() == 2 }
            #expect(process.health.reports.isEmpty)
        }
    }
}
