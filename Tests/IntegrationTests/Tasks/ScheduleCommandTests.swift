import Foundation
import TestSupport
import Testing

@testable import Schedules
@testable import Tasks

extension Integration {
    /// `amity schedules`, as the role of a worker.
    struct ScheduleCommandTests {
        private let tasks: TaskScene

        init() throws { tasks = try TaskScene() }

        private func amity(_ arguments: String...) throws -> Command.Result {
            try tasks.scene.amity(["schedules"] + arguments)
        }

        private func apply(_ json: String) throws -> Command.Result {
            let file = try TemporaryFile(json)
            defer { withExtendedLifetime(file) {} }
            return try amity("apply", file.path)
        }

        @Test func aFileIsAppliedAndItsSchedulesAreShown() throws {
            let applied = try apply(
                """
                {"schedules": [
                    {"name": "nightly", "cron": "30 2 * * *", "time_zone": "Europe/Berlin",
                     "task_type": "test", "payload": {"a": "canary"}, "unique": "nightly"},
                    {"name": "weekly", "cron": "@weekly", "task_type": "benchmark"}
                ]}
                """
            )
            #expect(applied.output == "2 schedules are applied\n", "\(applied.error)")
            let listed = try amity("list").output.split(separator: "\n")
            #expect(listed.count == 3 && listed[0].hasPrefix("name "))
            #expect(listed[1].contains("Europe/Berlin") && listed[1].contains("T02:30:00+0"))
            #expect(listed[1].hasSuffix("active"))
            let page = try amity("list", "--json", "--limit", "1")
            #expect(page.error.contains("--after nightly"), "\(page.error)")
            #expect(try amity("list", "--json", "--after", "nightly").output.contains("weekly"))
            for arguments in [["show", "nightly"], ["show", "nightly", "--json"], ["list"]] {
                let shown = try tasks.scene.amity(["schedules"] + arguments)
                #expect(shown.output.contains("nightly") && !shown.output.contains("canary"))
            }
            #expect(try amity("show", "nightly", "--payload").output.contains("canary"))
            let json = try JSONSerialization.jsonObject(
                with: Data(try amity("show", "nightly", "--json", "--payload").output.utf8)
            )
            let whole = try #require(json as? [String: Any])
            #expect((whole["next_times"] as? [String])?.count == 5)
            #expect(whole["payload"] as? [String: String] == ["a": "canary"])
        }

        @Test func nextTimesAreShownWithTheirZone() throws {
            _ = try apply(
                """
                {"schedules": [{"name": "n", "cron": "15 2 * * *", "task_type": "test",
                                "time_zone": "Australia/Lord_Howe"}]}
                """
            )
            let times = try amity("next", "n").output.split(separator: "\n")
            #expect(times.count == 5)
            for time in times {
                #expect(time.contains("T02:15:00+1") || time.contains("T02:30:00+11:00"))
                #expect(time.hasSuffix("Z"))
            }
            let tried = try amity("next", "--cron", "0 3 * * sun", "--time-zone", "Asia/Tokyo")
            #expect(tried.output.split(separator: "\n").count == 5)
            #expect(tried.output.contains("T03:00:00+09:00  Asia/Tokyo  20"), "\(tried.output)")
            let bad = try amity("next", "--cron", "0 0 31 2 *")
            #expect(bad.status == 1 && bad.error.contains("31 February"), "\(bad.error)")
            #expect(try amity("next", "--cron", "* * * * *", "--time-zone", "X").status == 1)
            #expect(try amity("next").status == 64)
        }

        @Test func aScheduleIsPausedResumedRunAndDeleted() throws {
            _ = try apply(#"{"schedules":[{"name":"n","cron":"@daily","task_type":"test"}]}"#)
            let paused = try amity("pause", "n")
            #expect(paused.output.hasPrefix("n is paused by \(tasks.scene.name) since 20"))
            #expect(try amity("list").output.contains("paused"))
            let run = try amity("run", "n")
            let id = TaskID(stored: run.output.trimmingCharacters(in: .newlines))
            #expect(try tasks.state(id) == .queued, "\(run.error)")
            #expect(try amity("resume", "n").output.contains("T00:00:00"))
            #expect(try amity("delete", "n").output == "n is deleted\n")
            for verb in ["show", "next", "pause", "resume", "run", "delete"] {
                let none = try amity(verb, "n")
                #expect(none.status == 1 && none.error.contains("no schedule n"), "\(none.error)")
            }
        }

        /// Fault: one mistake in a file hides the next, or half of it is applied.
        @Test func aFileThatDoesNotDoIsRefusedAsAWhole() throws {
            let bad = try apply(
                """
                {"schedules": [
                    {"name": "good", "cron": "@daily", "task_type": "test"},
                    {"name": "good", "cron": "canary", "task_type": "nothing"},
                    {"cron": "@daily", "task_type": "test", "odd": 1}
                ]}
                """
            )
            #expect(bad.status == 1)
            for place in ["1/name", "1/cron", "1/task_type", "2/name", "2/odd"] {
                #expect(bad.error.contains("/schedules/\(place): "), "\(bad.error)")
            }
            #expect(!bad.error.contains("canary"))
            #expect(try amity("list", "--json").output.isEmpty)
            #expect(try apply("{}").error.contains("/schedules: is missing"))
            #expect(try apply("[").error.contains("no JSON"))
            #expect(try amity("apply", "/nothing.json").error.contains("cannot be read"))
        }
    }
}
