import Foundation
import Postgres
import TestSupport
import Testing

@testable import Operations
@testable import Tasks

/// What the page of tasks asks of a worker and does.
extension Integration {
    struct TaskPageTests {
        private static let canary = "canary-8271"
        private let port = RawConnection.freePort()

        private var environment: [String: String] {
            ["HTTP_PORT": "\(port)", "TASK_QUEUES": ""]
        }

        private func get(_ path: String) throws -> RawAnswer {
            let answer = try RawAnswer.get("/api/v1/\(path)", port: port)
            #expect(!answer.body.contains(Self.canary), "\(path): \(answer.body)")
            return answer
        }

        private func post(_ path: String, _ body: String = "") throws -> RawAnswer {
            let headers = ["X-Amity-Request: test"]
            let answer = try RawAnswer.post("/api/v1/\(path)", body, port: port, headers: headers)
            #expect(!answer.body.contains(Self.canary), "\(path): \(answer.body)")
            return answer
        }

        private func object(_ answer: RawAnswer) throws -> [String: Any] {
            #expect(answer.status == 200, "\(answer.body)")
            let value = try JSONSerialization.jsonObject(with: Data(answer.body.utf8))
            return try #require(value as? [String: Any])
        }

        private func ids(_ query: String) throws -> [String] {
            let tasks = try object(get("tasks?\(query)"))["tasks"] as? [[String: Any]]
            return try #require(tasks).compactMap { $0["id"] as? String }
        }

        /// With users' data in every place that has some.
        private func fill(_ task: inout NewTask) {
            task.payload = #"{"text":"\#(Self.canary)"}"#
            task.tags = #"{"tag":"\#(Self.canary)"}"#
            task.kbID = "kb"
        }

        private func fail(
            _ tasks: TaskScene,
            code: String,
            retries: Bool = false
        ) throws -> TaskID {
            let id = try tasks.begin { fill(&$0) }
            let failure = RunOutcome.failed(code: code, message: Self.canary, retries: retries)
            _ = try tasks.store.finish(id, run: 1, as: failure)
            return id
        }

        /// Fault: the page shows another state than there is, or what a client gave.
        @Test func figuresAreTrueAndTellNothingOfUsers() throws {
            let tasks = try TaskScene()
            let queued = try tasks.submit { fill(&$0) }
            let running = try tasks.begin { fill(&$0) }
            let progress = RunProgress(id: running, run: 1, percent: 40, note: Self.canary)
            _ = try tasks.store.write([progress])
            try tasks.store.renewWorker(TaskScene.worker, facts: #"{"name":"far:1"}"#)
            let done = try tasks.begin { fill(&$0) }
            let result = RunOutcome.succeeded(result: "\"\(Self.canary)\"")
            _ = try tasks.store.finish(done, run: 1, as: result)
            let failed = try fail(tasks, code: "BROKEN")
            let again = try fail(tasks, code: "SHORTLY", retries: true)
            let worker = try tasks.scene.startWorker(environment)
            try worker.waitUntilConsuming()

            let overview = try object(get("stats/tasks"))["tasks"] as? [String: Any]
            let queues = try #require(overview?["queues"] as? [[String: Any]])
            #expect(queues.count == 1)
            for (name, value) in [
                "waiting": 1, "running": 1, "completed_per_minute": 1, "failed_per_minute": 1,
            ] { #expect(queues[0][name] as? Int == value, "\(name)") }
            #expect(queues[0]["oldest_seconds"] as? Double ?? 0 > 0)
            let failures = try #require(overview?["failures"] as? [[String: Any]])
            #expect(failures.map { $0["code"] as? String } == ["BROKEN"])
            #expect(failures[0]["count"] as? Int == 1 && failures[0]["type"] as? String == "test")
            #expect(try get("stats/task-alerts").body == #"{"alerts":[]}"#)

            let all = [again, failed, done, running, queued].map(\.text)
            #expect(try ids("") == all)
            #expect(try ids("before=\(done)") == [running.text, queued.text])
            #expect(try ids("state=processing") == [running.text])
            #expect(try ids("state=failed&type=test&code=BROKEN") == [failed.text])
            let one = try object(get("tasks/\(running)"))
            #expect(one["worker"] as? String == "far:1" && one["progress"] as? Int == 40)
            #expect(one["state"] as? String == "processing" && one["kb_id"] as? String == "kb")
            for (id, code) in [(failed, "BROKEN"), (again, "SHORTLY")] {
                let errors = try object(get("tasks/\(id)"))["errors"] as? [[String: Any]]
                let error = try #require(errors?.first)
                #expect(Set(error.keys) == ["run", "code", "at"])
                #expect(error["code"] as? String == code)
            }
            #expect(try object(get("tasks/\(again)"))["due_at"] != nil)
            for (id, attempt) in [(queued, 1), (failed, 1), (again, 2)] {
                #expect(try object(get("tasks/\(id)"))["attempt"] as? Int == attempt)
            }
            #expect(try get("tasks/\(TaskID.random())").status == 404)
            #expect(!worker.log.contains(Self.canary))
        }

        @Test func tasksAreRetriedAndCancelled() throws {
            let tasks = try TaskScene()
            let failed = try (0..<3).map { try fail(tasks, code: $0 < 2 ? "BROKEN" : "OTHER") }
            let running = try tasks.begin()
            let worker = try tasks.scene.startWorker(environment)
            try worker.waitUntilConsuming()
            let retried = try post("tasks/\(failed[2])/retry")
            #expect(retried.body == #"{"id":"\#(failed[2])","state":"queued"}"#)
            #expect(try post("tasks/\(failed[2])/retry").status == 409)
            let all = try post("tasks/retry", #"{"type":"test","code":"BROKEN"}"#)
            #expect(all.body == #"{"is_complete":true,"retried":2}"#)
            let told = try post("tasks/\(running)/cancel")
            #expect(told.body == #"{"id":"\#(running)","state":"processing"}"#)
            #expect(try object(get("tasks/\(running)"))["is_cancel_asked"] as? Bool == true)
            let ended = try post("tasks/\(failed[0])/cancel")
            #expect(ended.body == #"{"id":"\#(failed[0])","state":"cancelled"}"#)
            #expect(try post("tasks/\(failed[0])/cancel").status == 409)
            #expect(try post("tasks/\(TaskID.random())/cancel").status == 404)
            #expect(try ids("state=queued") == [failed[2].text, failed[1].text])
            #expect(worker.events("tasks.retried").count == 2)
            let cancelled = worker.events("tasks.cancelled")
            #expect(cancelled.map { $0["by"] as? String } == ["http", "http"])
        }

        @Test func pagesGoOnWhereTheLastOneEnded() throws {
            let tasks = try TaskScene()
            let made = try (0..<25).map { _ in try tasks.submit().text }
            let worker = try tasks.scene.startWorker(environment)
            try worker.waitUntilConsuming()
            var (seen, hasMore): ([String], Bool) = ([], true)
            while hasMore, seen.count < made.count {
                let query = seen.last.map { "?before=\($0)" } ?? ""
                let page = try object(get("tasks\(query)"))
                let found = try #require(page["tasks"] as? [[String: Any]])
                seen += found.compactMap { $0["id"] as? String }
                hasMore = try #require(page["has_more"] as? Bool)
            }
            #expect(seen == made.reversed() && !hasMore)
            withExtendedLifetime(worker) {}
        }

        /// Fault: a worker of conversations asks for tables that it has no right to, or that are
        /// not there, and each look is an error in the database's log.
        @Test func whereThereAreNoTablesNothingIsAskedOfThem() throws {
            let scene = try Scene()
            let worker = try scene.startWorker(environment)
            try worker.waitUntilConsuming()
            func expectNone() throws {
                #expect(try get("stats/tasks").body == #"{"tasks":null}"#)
                #expect(try get("stats/task-alerts").body == #"{"alerts":null}"#)
                #expect(try get("tasks").body == #"{"has_more":false,"tasks":[]}"#)
                #expect(try get("tasks/\(TaskID.random())").status == 404)
                #expect(try post("tasks/\(TaskID.random())/cancel").status == 404)
            }
            // No right.
            try expectNone()
            let python = try Scene(.python)
            worker.signal(SIGTERM)
            #expect(try worker.waitForExit() == 0)
            let other = try python.startWorker(environment)
            try other.waitUntilConsuming()
            try expectNone()
        }

        /// A person at a screen: `Tests/Browser/tasks.py` says what they see and do. Where
        /// `AMITY_PICTURES` names a folder, screenshots are put there.
        @Test func inABrowser() throws {
            let token = "canary-of-an-operator"
            let tasks = try TaskWorkerScene()
            let lasts = #"{\"progress\":40,\"note\":\"\#(Self.canary)\"}"#
            let breaks =
                #"{\"error\":{\"code\":\"BROKEN\",\"message\":\"\#(Self.canary)\","#
                + #"\"retry\":false}}"#
            let commands = try TemporaryFile(
                """
                {"commands": [
                    {"type": "lasts", "argv": ["/bin/sh", "-c", "echo '\(lasts)'; sleep 300"]},
                    {"type": "breaks", "argv": ["/bin/sh", "-c", "echo '\(breaks)'; exit 1"]}]}
                """
            )
            let worker = try tasks.tasks.scene.startWorker([
                "HTTP_PORT": "\(port)", "HTTP_TOKEN": token, "TASK_QUEUES": tasks.pool,
                "TASK_COMMANDS": commands.path,
            ])
            try eventually("it consumes") { !worker.events("task-consumer.started").isEmpty }
            for _ in 0..<12 { _ = try tasks.tasks.submit { $0.delay = 86_400 } }
            let running = try tasks.submit(type: "lasts") { fill(&$0) }[0]
            let failed = try tasks.submit(type: "breaks") { fill(&$0) }[0]
            try tasks.wait(for: failed, toBe: .failed)
            try eventually("it tells how far it is") { try tasks.view(running).percent == 40 }
            let name = try #require(try tasks.tasks.scene.statistics.workers().first?.name)
            try useInABrowser(
                "tasks.py",
                port: port,
                [
                    "--token", token, "--worker", name,
                    "--canary", Self.canary, "--running", running.text, "--failed", failed.text,
                ]
            )
            #expect(try tasks.tasks.state(running) == .cancelled)
            #expect(try tasks.view(failed).run == 2)
            #expect(!worker.log.contains(token) && !worker.log.contains(Self.canary))
        }

        /// Fault: what waits was counted before it was raised, or the alert of a watch that ended
        /// stays for ever.
        @Test func anAlertIsShownWhileItsWatchLives() throws {
            let tasks = try TaskScene()
            let memory = """
                {"queues":{"gpu.low":{"watchedSince":0,"lastWait":0,"alerts":{"task_wait":\
                {"since":1000,"doubts":0},"task_queue_depth":{"doubts":1}}}}}
                """
            let holder = TaskID.random()
            #expect(try tasks.store.keepWatch(holder, for: 3600, memory: memory))
            let worker = try tasks.scene.startWorker(environment)
            try worker.waitUntilConsuming()
            #expect(
                try get("stats/task-alerts").body
                    == #"{"alerts":[{"name":"task_wait","queue":"gpu.low","#
                    + #""since":"1970-01-01T00:16:40Z"}]}"#
            )
            try tasks.store.releaseWatch(holder, keepsMemory: true)
            try eventually("it is over") {
                try get("stats/task-alerts").body == #"{"alerts":[]}"#
            }
            withExtendedLifetime(worker) {}
        }
    }
}
