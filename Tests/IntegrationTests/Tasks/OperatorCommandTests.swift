import Foundation
import Postgres
import TestSupport
import Testing

@testable import Tasks

extension Integration {
    /// `amity tasks`, as the role of a worker.
    struct OperatorCommandTests {
        private let tasks: TaskScene

        init() throws { tasks = try TaskScene() }

        private func amity(_ arguments: String...) throws -> Command.Result {
            try tasks.scene.amity(["tasks"] + arguments)
        }

        private func fail(_ code: String, _ change: (inout NewTask) -> Void = { _ in }) throws
            -> TaskID
        {
            let id = try tasks.begin("test", change)
            let failure = RunOutcome.failed(code: code, message: "canary-error", retries: false)
            _ = try tasks.store.finish(id, run: 1, as: failure)
            return id
        }

        private func objects(_ output: String) throws -> [[String: Any]] {
            try output.split(separator: "\n").map { line in
                let json = try JSONSerialization.jsonObject(with: Data(line.utf8))
                return try #require(json as? [String: Any], "\(line)")
            }
        }

        @Test func theListKeepsItsConditionsAndItsPages() throws {
            let failed = try fail("E") { $0.kbID = "kb-1" }
            let running = try tasks.begin()
            let queued = try tasks.submit { $0.kbID = "kb-1" }
            func ids(_ arguments: String...) throws -> [String] {
                let listed = try tasks.scene.amity(["tasks", "list", "--json"] + arguments)
                #expect(listed.status == 0, "\(listed.error)")
                return try objects(listed.output).compactMap { $0["task_id"] as? String }
            }
            #expect(try ids() == [queued, running, failed].map(\.text))
            #expect(try ids("--kb", "kb-1") == [queued, failed].map(\.text))
            #expect(try ids("--state", "processing") == [running.text])
            #expect(try ids("--code", "E", "--type", "test") == [failed.text])
            #expect(try ids("--newer-than", "1h").count == 3)
            #expect(try ids("--before", running.text) == [failed.text])
            let page = try amity("list", "--limit", "2")
            #expect(page.error.contains("--before \(running)"), "\(page.error)")
            let lines = page.output.split(separator: "\n")
            #expect(lines.count == 3 && lines[0].hasPrefix("id "))
            #expect(lines[1].contains("queued") && lines[1].contains("default.normal"))
        }

        /// Fault: who looks for a task's state reads what a user wrote.
        @Test func usersDataIsShownWhereItIsAskedForAlone() throws {
            let id = try fail("E") {
                $0.payload = #"{"a": "canary-payload \#u{202E}"}"#
                $0.tags = #"["canary-tag"]"#
            }
            for arguments in [["list"], ["list", "--json"], ["show", id.text]] {
                let shown = try tasks.scene.amity(["tasks"] + arguments)
                #expect(shown.output.contains(id.text) && shown.output.contains("E"))
                #expect(!(shown.output + shown.error).contains("canary"), "\(shown.output)")
            }
            let plain = try amity("show", id.text, "--json")
            let failures = try #require(try objects(plain.output)[0]["errors"] as? [[String: Any]])
            #expect(failures[0]["code"] as? String == "E" && failures[0]["run"] as? Int == 1)
            #expect(failures[0]["message"] == nil && failures[0]["at"] != nil)
            for arguments in [["--payload"], ["--payload", "--json"]] {
                let all = try tasks.scene.amity(["tasks", "show", id.text] + arguments).output
                for word in ["canary-payload", "canary-tag", "canary-error"] {
                    #expect(all.contains(word), "\(all)")
                }
                #expect(!all.contains("\u{202E}"))
            }
            let whole = try objects(try amity("show", id.text, "--payload", "--json").output)[0]
            let payload = try #require(whole["payload"] as? [String: Any])
            #expect(payload["a"] as? String == "canary-payload \u{202E}")
            let none = try amity("show", TaskScene.worker.text)
            #expect(none.status == 1 && none.error.contains("no task"))
        }

        /// Fault: an operator sees that a task waits, and not for what.
        @Test func aTaskThatWaitsShowsForWhat() throws {
            let need = try tasks.submit()
            let id = try tasks.submit {
                $0.needs = [.task(need)]
                $0.runsOnFailedNeed = true
            }
            let lines = try amity("show", id.text).output.split(separator: "\n")
            let line = try #require(lines.first { $0.hasPrefix("needs") })
            #expect(line.contains(need.text) && line.contains("queued"))
            let needs = try objects(try amity("show", id.text, "--json").output)[0]["needs"]
            let first = try #require((needs as? [[String: Any]])?.first)
            #expect(first["task_id"] as? String == need.text && first["may_fail"] as? Bool == true)
        }

        @Test func aTaskIsMadeAsItsTypeSays() throws {
            let made = try amity("submit", "test", "--payload", #"{"a":1}"#, "--kb", "kb-1")
            #expect(made.status == 0, "\(made.error)")
            let id = TaskID(stored: made.output.trimmingCharacters(in: .newlines))
            let task = try #require(try tasks.store.get(id))
            #expect(task.payload == #"{"a": 1}"# && task.view.kbID == "kb-1")
            #expect(task.view.state == .queued && task.view.priority == .normal)
            // A scheduler publishes it.
            #expect(task.view.dueAt != nil)
            let file = try TemporaryFile("[2]")
            defer { withExtendedLifetime(file) {} }
            let later = try amity(
                "submit",
                "test",
                "--payload",
                "@\(file.path)",
                "--priority",
                "critical",
                "--delay",
                "1h"
            )
            let second = TaskID(stored: later.output.trimmingCharacters(in: .newlines))
            let scheduled = try #require(try tasks.store.get(second))
            #expect(scheduled.view.state == .scheduled && scheduled.payload == "[2]")
            #expect(scheduled.view.priority == .critical)
        }

        /// Fault: what is wrong with a payload is said with its words.
        @Test func whatCannotBeMadeIsRefused() throws {
            let none = try amity("submit", "nothing")
            #expect(none.status == 1 && none.error.contains("document_processing"))
            for (payload, status, words) in [
                ("canary", 64, "is no JSON"), ("@/nothing.json", 64, "cannot read"),
                (#"["canary\u0000"]"#, 1, "cannot store"),
            ] {
                let refused = try amity("submit", "test", "--payload", payload)
                #expect(refused.status == Int32(status), "\(refused.error)")
                #expect(refused.error.contains(words) && !refused.error.contains("canary"))
            }
            #expect(try tasks.store.list(TaskFilter(), limit: 1).isEmpty)
        }

        @Test func tasksAreCancelledAndRetriedByTheirIDs() throws {
            let (queued, running) = (try tasks.submit(), try tasks.begin())
            let cancelled = try amity("cancel", queued.text, running.text)
            #expect(cancelled.output == "\(queued) cancelled\n\(running) cancelling\n")
            #expect(cancelled.status == 0, "\(cancelled.error)")
            let again = try amity("cancel", queued.text)
            #expect(again.status == 1 && again.error.contains("cancelled already"))
            let retried = try amity("retry", queued.text, running.text)
            #expect(retried.status == 1 && retried.output == "\(queued) queued\n")
            #expect(retried.error.contains("\(running) is processing"), "\(retried.error)")
            #expect(try amity("cancel", TaskScene.worker.text).error.contains("no task"))
        }

        /// Fault: a command that was pasted ends what others wait for.
        @Test func aConditionAsksBeforeItChangesAll() throws {
            let (one, other) = (try tasks.submit("a"), try tasks.submit("b"))
            let dry = try amity("cancel", "--type", "a", "--dry-run")
            #expect(dry.output == "would cancel 1 task\n" && dry.status == 0)
            let asked = try amity("cancel", "--type", "a")
            #expect(asked.status == 64, "\(asked.error)")
            #expect(asked.error.contains("cancel 1 task") && asked.error.contains("--yes"))
            #expect(try tasks.state(one) == .queued)
            let done = try amity("cancel", "--type", "a", "--yes")
            #expect(done.output == "cancelled 1 task\n", "\(done.error)")
            #expect(try tasks.state(one) == .cancelled && tasks.state(other) == .queued)
            let (failed, kept) = (try fail("E"), try fail("F"))
            #expect(try amity("retry", "--code", "E", "--dry-run").output.contains("1 task"))
            #expect(try amity("retry", "--code", "E").status == 64)
            #expect(try tasks.state(failed) == .failed)
            let retried = try amity("retry", "--type", "test", "--code", "E", "--yes")
            #expect(retried.output == "retried 1 task\n", "\(retried.error)")
            #expect(try tasks.state(failed) == .queued && tasks.state(kept) == .failed)
            #expect(try amity("retry", "--code", "E", "--yes").output == "retried 0 tasks\n")
        }
    }
}
