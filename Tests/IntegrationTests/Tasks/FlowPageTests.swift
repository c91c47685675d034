import Foundation
import Postgres
import TestSupport
import Testing

@testable import Schedules
@testable import TaskTypes
@testable import Tasks

/// What the page of limits, schedules, batches and events asks of a worker and does.
extension Integration {
    struct FlowPageTests {
        private static let canary = "canary-4417"
        private let port = RawConnection.freePort()

        private var environment: [String: String] {
            ["HTTP_PORT": "\(port)", "TASK_QUEUES": ""]
        }

        private func get(_ path: String) throws -> [String: Any] {
            let answer = try RawAnswer.get("/api/v1/\(path)", port: port)
            #expect(!answer.body.contains(Self.canary), "\(path): \(answer.body)")
            #expect(answer.status == 200, "\(path): \(answer.body)")
            let value = try JSONSerialization.jsonObject(with: Data(answer.body.utf8))
            return try #require((value as? [String: Any])?["flow"] as? [String: Any])
        }

        private func rows(_ path: String, _ name: String) throws -> [[String: Any]] {
            try #require(try get(path)[name] as? [[String: Any]])
        }

        private func post(_ path: String, _ body: String = "") throws -> RawAnswer {
            let headers = ["X-Amity-Request: test"]
            let answer = try RawAnswer.post("/api/v1/\(path)", body, port: port, headers: headers)
            #expect(!answer.body.contains(Self.canary), "\(path): \(answer.body)")
            return answer
        }

        private static func type(
            _ name: String,
            pool: String = "default",
            _ change: (inout TaskLimit) -> Void
        ) -> TaskType {
            var type = TaskType(name: name, pool: pool, handler: .command)
            var limit = TaskLimit()
            change(&limit)
            type.limit = limit
            return type
        }

        private func submit(
            _ store: TaskStore,
            _ new: [NewTask],
            _ batch: SubmitRequest.Batch = .none
        ) throws -> Submission {
            var request = SubmitRequest(new)
            request.batch = batch
            let outcome = try store.submit([request])[0].get()
            guard case .accepted(let made, _) = outcome else { throw TaskScene.Refused() }
            return made
        }

        /// Fault: who waits is not seen, or a look counts a million rows; or the log tells a key,
        /// which is made of a payload.
        @Test func limitsAreShownPausedAndResumed() throws {
            let tasks = try TaskScene()
            let send = Self.type("send") {
                $0.key = .payload(["account"])
                ($0.rate, $0.burst, $0.cap) = (2, 3, 4)
            }
            try tasks.ownersStore().apply([send])
            for account in ["a", "a", "b"] {
                _ = try tasks.submit("send") {
                    $0.payload = #"{"account":"\#(account)","text":"\#(Self.canary)"}"#
                    $0.limitedBy = "payload.account"
                }
            }
            let worker = try tasks.scene.startWorker(environment)
            try worker.waitUntilConsuming()
            let limits = try rows("limits", "limits")
            #expect(limits.compactMap { $0["key"] as? String } == ["send:a", "send:b"])
            #expect(limits.compactMap { $0["waiting"] as? Int } == [2, 1])
            // No look has made a bucket yet: it counts as full.
            #expect(limits[0]["tokens"] as? Double == 3)
            let rule = try #require(limits[0]["rule"] as? [String: Any])
            #expect(rule["by"] as? String == "payload.account" && rule["cap"] as? Int == 4)
            #expect(try rows("limits?all=1", "limits").isEmpty)
            #expect(try rows("limits?after=send:a", "limits").count == 1)

            let key = #"{"key":"send:a"}"#
            #expect(try post("limits/pause", key).body == #"{"is_paused":true}"#)
            #expect(try post("limits/pause", #"{"pool":"gpu"}"#).status == 200)
            #expect(try post("limits/pause", #"{"type":"nothing"}"#).status == 404)
            #expect(try tasks.store.pauses().map(\.by) == ["dashboard", "dashboard"])
            let held = try rows("limits", "limits")
            #expect(held[0]["paused_by"] as? String == "dashboard" && held[0]["paused_at"] != nil)
            let pauses = try rows("limits", "pauses")
            #expect(pauses.compactMap { $0["kind"] as? String } == ["pool", "key"])
            #expect(pauses.compactMap { $0["name"] as? String } == ["gpu", "send:a"])
            _ = try post("limits/resume", key)
            _ = try post("limits/resume", #"{"pool":"gpu"}"#)
            #expect(try rows("limits", "pauses").isEmpty)
            let told = worker.events("limits.paused")
            #expect(told.compactMap { $0["kind"] as? String } == ["key", "pool"])
            #expect(told.compactMap { $0["name"] as? String } == ["send", "gpu"])
            #expect(!worker.log.contains("send:a"))

            try tasks.sql(
                """
                INSERT INTO amity_tasks (id, type, pool, priority, state, limit_key, max_attempts,
                    created_at)
                SELECT amity_uuid7(now() + n * interval '1 us'), 'send', 'default', 2, 2, 'send:b',
                    4, now() FROM generate_series(1, 10100) AS n
                """
            )
            try eventually("what was cached is over") {
                try rows("limits", "limits").last?["waiting"] as? Int == 10_001
            }
        }

        /// Fault: a schedule seems well, and its tasks fail, or are not made.
        @Test func schedulesAreShownPausedResumedAndRun() throws {
            let schedules = try ScheduleScene()
            let tasks = schedules.tasks
            try schedules.define("nightly", "0 2 * * *") {
                $0.timeZone = "Europe/Berlin"
                $0.payload = #"{"text":"\#(Self.canary)"}"#
            }
            try schedules.define("odd", "@daily") { $0.type = "nothing" }
            try schedules.tick(at: "2026-01-02T02:00:00Z")
            let last = try #require(try schedules.store.get("nightly")?.lastTask)
            try tasks.claim(last, run: 1)
            let failure = RunOutcome.failed(code: "E", message: Self.canary, retries: false)
            _ = try tasks.store.finish(last, run: 1, as: failure)
            let worker = try tasks.scene.startWorker(environment)
            try worker.waitUntilConsuming()
            let found = try rows("schedules", "schedules")
            #expect(found.compactMap { $0["name"] as? String } == ["nightly", "odd"])
            #expect(found[0]["last_state"] as? String == "failed")
            #expect(found[0]["last_task"] as? String == last.text)
            #expect(found[0]["time_zone"] as? String == "Europe/Berlin")
            #expect(found[0]["next_at"] as? String == "2026-01-03T01:00:00Z")
            #expect(found[1]["last_error"] as? String != nil)
            #expect(try rows("schedules?after=nightly", "schedules").count == 1)

            #expect(try post("schedules/nightly/pause").status == 200)
            let paused = try rows("schedules", "schedules")[0]
            #expect(paused["paused_by"] as? String == "dashboard" && paused["next_at"] == nil)
            #expect(try post("schedules/nightly/resume").status == 200)
            let resumed = try rows("schedules", "schedules")[0]
            #expect(resumed["paused_by"] == nil && resumed["next_at"] != nil)
            let run = try post("schedules/nightly/run")
            let made = try #require(run.body.firstMatch(of: /"task":"([^"]+)"/)?.1)
            #expect(try tasks.state(try #require(TaskID(String(made)))) == .queued)
            #expect(try post("schedules/odd/run").status == 409)
            for verb in ["pause", "resume", "run"] {
                #expect(try post("schedules/none/\(verb)").status == 404)
            }
            #expect(!worker.log.contains(Self.canary))
        }

        /// Fault: the picture of a batch has a line too many or too few; a cancel leaves a task.
        @Test func batchesAreShownAndCancelled() throws {
            let tasks = try TaskScene()
            let new = [[], [0], [0], [1, 2]].map { needs in
                TaskScene.task(payload: #"{"text":"\#(Self.canary)"}"#) {
                    $0.needs = needs.map(NewTask.Need.entry)
                }
            }
            let made = try submit(tasks.store, new, .new(openFor: nil))
            let ids = made.tasks.map(\.id)
            let batch = try #require(made.batchID)
            try tasks.claim(ids[0], run: 1)
            let result = RunOutcome.succeeded(result: "\"\(Self.canary)\"")
            _ = try tasks.store.finish(ids[0], run: 1, as: result)
            _ = try submit(tasks.store, [TaskScene.task()], .new(openFor: 60))
            let worker = try tasks.scene.startWorker(environment)
            try worker.waitUntilConsuming()
            let found = try rows("batches", "batches")
            #expect(found.compactMap { $0["status"] as? String } == ["open", "running"])
            #expect(found[1]["states"] as? [String: Int] == ["completed": 1, "blocked": 3])
            #expect(try rows("batches?before=\(batch)", "batches").isEmpty)
            let picture = try get("batches/\(batch)")
            let graph = try #require(picture["graph"] as? [String: Any])
            let nodes = try #require(graph["nodes"] as? [[String: Any]])
            #expect(nodes.compactMap { $0["id"] as? String } == ids.map(\.text))
            #expect(nodes.compactMap { $0["needs"] as? [Int] } == [[], [0], [0], [1, 2]])
            #expect(nodes.compactMap { $0["layer"] as? Int } == [0, 1, 1, 2])

            let cancelled = try post("batches/\(batch)/cancel")
            #expect(cancelled.status == 200, "\(cancelled.body)")
            #expect(try tasks.state(ids[3]) == .cancelled && tasks.state(ids[0]) == .completed)
            let after = try get("batches/\(batch)")["batch"] as? [String: Any]
            #expect(after?["states"] as? [String: Int] == ["completed": 1, "cancelled": 3])
            #expect(try post("batches/\(TaskID.random())/cancel").status == 404)
            #expect(worker.events("batches.cancelled").count == 1)
            #expect(!worker.log.contains(Self.canary))
        }

        /// Fault: a batch of a million is counted by each look at the page.
        @Test func aLargeBatchIsCountedInPartAndGrouped() throws {
            let tasks = try TaskScene()
            let made = try submit(tasks.store, [TaskScene.task()], .new(openFor: 60))
            let batch = try #require(made.batchID)
            try tasks.sql(
                """
                INSERT INTO amity_tasks (id, type, pool, priority, state, batch_id, max_attempts,
                    created_at)
                SELECT amity_uuid7(now() + n * interval '1 us'), 't' || n % 3, 'default', 2, 5,
                    '\(batch)', 4, now() FROM generate_series(1, 10100) AS n
                """
            )
            let worker = try tasks.scene.startWorker(environment)
            try worker.waitUntilConsuming()
            let picture = try get("batches/\(batch)")
            let record = try #require(picture["batch"] as? [String: Any])
            #expect(record["total"] as? Int == 10_000)
            #expect(record["is_complete"] as? Bool == false)
            let graph = try #require(picture["graph"] as? [String: Any])
            #expect((graph["groups"] as? [Any])?.count == 4)
            #expect((graph["nodes"] as? [Any])?.isEmpty == true)
            #expect(graph["is_complete"] as? Bool == false)
            withExtendedLifetime(worker) {}
        }

        /// Fault: a worker of conversations asks for tables that it has no right to.
        @Test func whereThereAreNoTablesNothingIsAskedOfThem() throws {
            let scene = try Scene()
            let worker = try scene.startWorker(environment)
            try worker.waitUntilConsuming()
            for path in ["limits", "schedules", "batches", "batches/\(TaskID.random())"] {
                let answer = try RawAnswer.get("/api/v1/\(path)", port: port)
                #expect(answer.body == #"{"flow":null}"#, "\(path): \(answer.body)")
            }
            withExtendedLifetime(worker) {}
        }

        // MARK: Events

        private func listen(_ pattern: String) throws -> RawConnection {
            // Shorter than the time between two signs of life.
            let connection = try RawConnection(port: port, patience: .seconds(5))
            connection.send(
                "GET /api/v1/events?pattern=\(pattern) HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                    + "Connection: close\r\n\r\n"
            )
            return connection
        }

        private func read(_ reader: RawConnection, until text: String) -> String {
            var all = ""
            let deadline = ContinuousClock.now + .seconds(60)
            while !all.contains(text), .now < deadline { all += reader.read(until: text) }
            return all
        }

        /// Fault: events do not come, or come with what a task was given; a reader that has gone
        /// holds a place, and a queue on the broker.
        @Test func eventsComeLiveToAFew() throws {
            let tasks = try TaskScene(settings: EventTests.on)
            let type = "t\(UInt32.random(in: 0 ... .max))"
            let worker = try tasks.scene.startWorker([
                "HTTP_PORT": "\(port)", "TASK_QUEUES": "", "EVENTS": "tasks",
            ])
            try worker.waitUntilConsuming()
            var readers = try (0..<4).map { _ in try listen("task.*.\(type)") }
            for reader in readers {
                let begin = read(reader, until: #""is_listening":true"#)
                #expect(begin.contains("Content-Type: text/event-stream"), "\(begin)")
                #expect(begin.contains(#""topics":["tasks"]"#), "\(begin)")
            }
            let refused = read(try listen("%23"), until: "close one")
            #expect(refused.contains(#"data: {"refusal":"As many pages"#), "\(refused)")
            let id = try tasks.submit(type) {
                $0.payload = #"{"text":"\#(Self.canary)"}"#
                $0.tags = #"{"tag":"\#(Self.canary)"}"#
            }
            let text = read(readers[0], until: "amity.task.created")
            #expect(text.contains(#""id":"\#(id).1.created","subject":"\#(id)""#), "\(text)")
            #expect(!text.contains(Self.canary) && !text.contains("kb_id"))
            readers.removeAll()
            try eventually("there is room again") {
                let next = try listen("task.*.\(type)")
                return !read(next, until: "}").contains("refusal")
            }
            worker.signal(SIGTERM)
            #expect(try worker.waitForExit() == 0)
        }

        /// Fault: a page says that nothing happens while the broker is away.
        @Test func aReaderIsToldThatTheBrokerIsAwayAndHearsAgain() throws {
            let tasks = try TaskScene()
            let worker = try tasks.scene.startWorker(environment)
            try worker.waitUntilConsuming()
            let reader = try listen("task.none.%23")
            let begin = read(reader, until: #""is_listening":true"#)
            #expect(begin.contains(#""topics":[]"#), "\(begin)")
            try Servers.without(.rabbitmq, .stop) {
                let text = read(reader, until: #""is_listening":false"#)
                #expect(text.contains(#""problem":"#), "\(text)")
            }
            #expect(read(reader, until: #""is_listening":true"#).contains(#""events":[]"#))
            withExtendedLifetime(worker) {}
        }

        /// A person at a screen: `Tests/Browser/flow.py` says what they see and do.
        @Test func inABrowser() throws {
            let token = "canary-of-an-operator"
            let scene = try TaskWorkerScene(settings: EventTests.on)
            let tasks = scene.tasks
            let quick = "quick-\(UInt16.random(in: 0 ... .max))"
            let commands = try TemporaryFile(
                #"""
                {"commands": [
                    {"type": "lasts", "argv": ["/bin/sleep", "300"]},
                    {"type": "held", "argv": ["/bin/sleep", "300"]},
                    {"type": "\#(quick)", "argv": ["/bin/echo", "{\"result\": 1}"]}]}
                """#
            )
            let pool = scene.pool
            try tasks.ownersStore().apply(
                [
                    TaskType(name: "lasts", pool: pool, handler: .command),
                    TaskType(name: quick, pool: pool, handler: .command),
                    Self.type("held", pool: pool) {
                        $0.key = .payload(["account"])
                        $0.cap = 1
                    },
                ]
            )
            let schedules = ScheduleScene.store(on: tasks.scene.owner)
            var nightly = ScheduleDefinition(name: "nightly", cron: "0 2 * * *", type: quick)
            nightly.payload = #"{"text":"\#(Self.canary)"}"#
            _ = try schedules.apply([nightly])
            let worker = try tasks.scene.startWorker([
                "HTTP_PORT": "\(port)", "HTTP_TOKEN": token, "TASK_QUEUES": pool,
                "TASK_COMMANDS": commands.path, "EVENTS": "tasks",
            ])
            try eventually("it consumes") { !worker.events("task-consumer.started").isEmpty }
            let held = try scene.submit(3, type: "held") {
                $0.payload = #"{"account":"a","text":"\#(Self.canary)"}"#
                $0.limitedBy = "payload.account"
            }
            let needs: [(String, [Int])] = [
                (quick, []), ("lasts", [0]), (quick, [0]), (quick, [1, 2]), (quick, [3]),
            ]
            let made = try submit(
                tasks.store,
                needs.map { type, needs in
                    TaskScene.task(type, payload: #"{"text":"\#(Self.canary)"}"#) {
                        $0.pool = pool
                        $0.needs = needs.map(NewTask.Need.entry)
                    }
                },
                .new(openFor: nil)
            )
            let ids = made.tasks.map(\.id)
            try scene.wait(for: ids[2], toBe: .completed)
            try scene.wait(for: ids[1], toBe: .processing)
            try eventually("one is let in") {
                try held.contains { try tasks.state($0) == .processing }
            }
            let name = try #require(try tasks.scene.statistics.workers().first?.name)
            try useInABrowser(
                "flow.py",
                port: port,
                [
                    "--token", token, "--worker", name,
                    "--canary", Self.canary, "--batch", try #require(made.batchID).text,
                    "--running", ids[1].text, "--type", quick,
                ]
            )
            #expect(try tasks.store.pauses().isEmpty)
            #expect(try tasks.state(ids[4]) == .cancelled)
            #expect(!worker.log.contains(token) && !worker.log.contains(Self.canary))
        }
    }
}
