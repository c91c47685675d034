import Concurrency
import Foundation
import Postgres
import TestSupport
import Testing

@testable import Tasks

extension Integration {
    /// Tasks that belong together, over HTTP and in the store.
    struct BatchTests {
        private func until(
            _ status: String,
            _ id: String,
            in scene: TaskAPIScene
        ) throws -> TaskAPIScene.Answer {
            try eventually("the batch is \(status)", within: .seconds(15)) {
                try scene.send("GET", "/batches/\(id)").text("status") == status
            }
            return try scene.send("GET", "/batches/\(id)")
        }

        private func ids(_ answer: TaskAPIScene.Answer) throws -> [TaskID] {
            try answer.list("results").map { try #require(TaskID($0["task_id"] as? String ?? "")) }
        }

        private func end(
            _ id: TaskID,
            _ outcome: RunOutcome,
            in scene: TaskAPIScene
        ) throws {
            try eventually("it is queued") { try scene.tasks.state(id) == .queued }
            try scene.tasks.claim(id, run: 1)
            _ = try scene.tasks.store.finish(id, run: 1, as: outcome)
        }

        @Test func aBatchHasEndedWhenAllItsTasksHave() throws {
            let scene = try TaskAPIScene()
            let made = try scene.send(
                "POST",
                "/tasks/batch",
                ##"{"tasks":[{"task_type":"test"},{"task_type":"test","needs":["#0"]}]}"##
            )
            #expect(made.status == 202)
            let id = try made.text("batch_id")
            let tasks = try ids(made)
            let running = try scene.send("GET", "/batches/\(id)")
            #expect(try running.text("status") == "running")
            #expect(try running.json["total"] as? Int == 2)
            #expect(try running.json["progress"] as? Int == 0)
            try end(tasks[0], .succeeded(result: nil), in: scene)
            try eventually("the next is free") { try scene.tasks.state(tasks[1]) == .queued }
            #expect(try scene.send("GET", "/batches/\(id)").json["progress"] as? Int == 50)
            try end(tasks[1], .failed(code: "E", message: "", retries: false), in: scene)
            let done = try until("finished", id, in: scene)
            let counts = try done.json["tasks"] as? [String: Int]
            #expect(counts?["completed"] == 1 && counts?["failed"] == 1)
            #expect(try done.json["finished_at"] is String)
        }

        /// Fault: a batch ends while more is added to it, or takes tasks after its end.
        @Test func anOpenBatchTakesMoreUntilItIsClosed() throws {
            let scene = try TaskAPIScene()
            let made = try scene.send("POST", "/tasks/batch", #"{"open":true}"#)
            let id = try made.text("batch_id")
            #expect(try scene.send("GET", "/batches/\(id)").text("status") == "open")
            let tasks = #"[{"task_type":"test"},{"task_type":"test"}]"#
            let added = try ids(try scene.send("POST", "/batches/\(id)/tasks", tasks))
            #expect(added.count == 2)
            for task in added { try end(task, .succeeded(result: nil), in: scene) }
            #expect(try scene.send("GET", "/batches/\(id)").text("status") == "open")
            let closed = try scene.send("POST", "/batches/\(id)/close")
            #expect(closed.status == 200)
            _ = try until("finished", id, in: scene)
            let late = try scene.send("POST", "/batches/\(id)/tasks", tasks)
            #expect(late.status == 409)
            #expect(try late.code == "batch_closed")
            #expect(try scene.send("POST", "/batches/\(id)/close").text("status") == "finished")
        }

        /// Fault: a batch is listed under a kb of which it is not, or not under its own; or a token
        /// of one kb sees and closes what is another's, too.
        @Test func anOpenBatchIsOfTheKBOfItsTasks() throws {
            let scene = try TaskAPIScene(token: "a-token-of-many-signs")
            let all: Set<Scope> = [.writeTasks, .readTasks, .cancelTasks]
            let store = scene.tasks.ownersStore()
            let secret = try store.createToken(name: "a", scopes: all, kbID: "kb-a").secret
            let made = try scene.send("POST", "/tasks/batch", #"{"open":true}"#)
            let id = try made.text("batch_id")
            func add(_ kb: String) throws {
                let task = #"[{"task_type":"test","kb_id":"\#(kb)"}]"#
                #expect(try scene.send("POST", "/batches/\(id)/tasks", task).status == 202)
            }
            func kb() throws -> String? {
                let kb = try scene.send("GET", "/batches/\(id)").json["kb_id"] as? String
                let listed = try scene.send("GET", "/batches?kb_id=kb-a").list("batches")
                #expect(listed.count == (kb == "kb-a" ? 1 : 0))
                return kb
            }
            #expect(try kb() == nil)
            for _ in 0..<2 {
                try add("kb-a")
                #expect(try kb() == "kb-a")
            }
            #expect(try scene.send("GET", "/batches/\(id)", token: secret).status == 200)
            for other in ["kb-b", "kb-a", "kb-b"] {
                try add(other)
                #expect(try kb() == nil)
            }
            for (method, path) in [("GET", ""), ("POST", "/close"), ("DELETE", "")] {
                let answer = try scene.send(method, "/batches/\(id)\(path)", token: secret)
                #expect(answer.status == 404)
            }
            #expect(try scene.send("GET", "/batches/\(id)").text("status") == "open")
        }

        /// Fault: a batch that a token of one kb has opened becomes another kb's.
        @Test func anEmptyBatchOfOneKBIsNotGivenToAnother() throws {
            let scene = try TaskAPIScene(token: "a-token-of-many-signs")
            let store = scene.tasks.ownersStore()
            let own = try store.createToken(
                name: "a",
                scopes: [.writeTasks, .readTasks],
                kbID: "kb-a"
            )
            let open = #"{"open":true}"#
            let made = try scene.send("POST", "/tasks/batch", open, token: own.secret)
            let id = try made.text("batch_id")
            let task = #"[{"task_type":"test","kb_id":"kb-b"}]"#
            #expect(try scene.send("POST", "/batches/\(id)/tasks", task).status == 202)
            #expect(try scene.send("GET", "/batches/\(id)").json["kb_id"] is NSNull)
        }

        /// Fault: two that add to an empty batch at once both find it empty; or wait for each other
        /// in a circle.
        @Test func thoseThatFillABatchAtOnceAgreeOnItsKB() throws {
            let scene = try TaskScene()
            for _ in 0..<10 {
                var request = SubmitRequest([])
                request.batch = .new(openFor: 60)
                let made = try scene.store.submit([request])[0].get()
                guard case .accepted(let batch, _) = made, let id = batch.batchID else {
                    throw TaskScene.Refused()
                }
                let group = DispatchGroup()
                for kb in ["a", "b", "a", "b"] {
                    group.enter()
                    startThread(name: "adds", stackBytes: 512 << 10) { [store = scene.store] in
                        defer { group.leave() }
                        do {
                            var request = SubmitRequest([TaskScene.task { $0.kbID = kb }])
                            request.batch = .existing(id)
                            _ = try store.submit([request])[0].get()
                        } catch {
                            Issue.record(error)
                        }
                    }
                }
                group.wait()
                let view = try scene.store.batch(id)
                #expect(view?.total == 4 && view?.kbID == nil)
            }
        }

        @Test func anOpenBatchIsClosedWhenItsTimeIsOver() throws {
            let scene = try TaskAPIScene()
            let body = #"{"open":true,"open_seconds":1,"tasks":[{"task_type":"test"}]}"#
            let made = try scene.send("POST", "/tasks/batch", body)
            let id = try made.text("batch_id")
            _ = try until("running", id, in: scene)
            try end(ids(made)[0], .succeeded(result: nil), in: scene)
            _ = try until("finished", id, in: scene)
        }

        /// Fault: a cancelled batch goes on, or never ends.
        @Test func aCancelledBatchStopsAllItsTasks() throws {
            let scene = try TaskAPIScene()
            let body = """
                {"open":true,"tasks":[{"task_type":"test"},{"task_type":"test"},\
                {"task_type":"test","needs":["#0"]}]}
                """
            let made = try scene.send("POST", "/tasks/batch", body)
            let id = try made.text("batch_id")
            let tasks = try ids(made)
            try scene.tasks.claim(tasks[0], run: 1)
            #expect(try scene.send("DELETE", "/batches/\(id)").status == 200)
            #expect(try scene.tasks.state(tasks[1]) == .cancelled)
            #expect(try scene.tasks.state(tasks[2]) == .cancelled)
            #expect(try scene.send("GET", "/batches/\(id)").text("status") == "running")
            _ = try scene.tasks.store.finish(tasks[0], run: 1, as: .stopped)
            _ = try until("cancelled", id, in: scene)
        }

        /// Fault: it had finished, was not looked at yet, and is cancelled beside no such task.
        @Test func aBatchThatHasEndedIsFinishedWhenItIsCancelled() throws {
            let scene = try TaskAPIScene()
            let made = try scene.send("POST", "/tasks/batch", #"[{"task_type":"test"}]"#)
            let id = try made.text("batch_id")
            try end(ids(made)[0], .succeeded(result: nil), in: scene)
            let cancelled = try scene.send("DELETE", "/batches/\(id)")
            #expect(try cancelled.text("status") == "finished")
            #expect(try until("finished", id, in: scene).json["finished_at"] is String)
        }

        /// Fault: a client's retry makes a second batch, or adds its tasks twice.
        @Test func aRepeatedRequestMakesNothingMore() throws {
            let scene = try TaskAPIScene()
            func send(_ path: String, _ body: String, key: String) throws -> TaskAPIScene.Answer {
                try scene.send("POST", path, body, headers: ["Idempotency-Key: \(key)"])
            }
            let body = #"{"open":true,"tasks":[{"task_type":"test"}]}"#
            let first = try send("/tasks/batch", body, key: "a")
            #expect(try send("/tasks/batch", body, key: "a").raw.body == first.raw.body)
            let id = try first.text("batch_id")
            let more = #"[{"task_type":"test"}]"#
            let added = try send("/batches/\(id)/tasks", more, key: "b")
            #expect(try send("/batches/\(id)/tasks", more, key: "b").raw.body == added.raw.body)
            #expect(try scene.send("GET", "/batches/\(id)").json["total"] as? Int == 2)
            let count = "SELECT count(*) FROM amity_batches"
            #expect(try scene.tasks.sql(count).integer(0, 0) == 1)
        }

        @Test func whatIsWrongIsNamed() throws {
            let scene = try TaskAPIScene()
            let test = #""task_type":"test""#
            let gone = #""needs":["11111111-1111-4111-8111-111111111111"]"#
            let wrong = ##""needs":["#0"],"delay_seconds":5,"on_failed_need":"so""##
            let cases: [(String, [String])] = [
                (
                    "[{\(test)," + ##""needs":["x","#0","#1"]}]"##,
                    ["0/needs/0", "0/needs/1", "0/needs/2"]
                ),
                (
                    "{\"tasks\":[{\(test)},{\(test),\(wrong)}]}",
                    ["tasks/1/delay_seconds", "tasks/1/on_failed_need"]
                ),
                (#"{"tasks":[],"open":false}"#, ["tasks"]),
                ("{\"tasks\":[{\(test)}],\"open_seconds\":5}", ["open_seconds"]),
                ("{\"tasks\":[{\(test),\(gone)}]}", ["tasks/0/needs/0"]),
            ]
            for (body, pointers) in cases {
                let answer = try scene.send("POST", "/tasks/batch", body)
                #expect(answer.status == 422)
                #expect(try answer.pointers == pointers.map { "/\($0)" }, "\(body)")
            }
            let none = "11111111-1111-4111-8111-111111111111"
            for (method, path) in [
                ("GET", ""), ("DELETE", ""), ("POST", "/close"), ("POST", "/tasks"),
            ] {
                let answer = try scene.send(
                    method,
                    "/batches/\(none)\(path)",
                    path == "/tasks" ? #"[{"task_type":"test"}]"# : nil
                )
                #expect(answer.status == 404)
                #expect(try answer.code == "not_found", "\(path)")
            }
        }

        @Test func batchesAreListedNewestFirst() throws {
            let scene = try TaskAPIScene()
            let made = try (0..<5).map { _ in
                try scene.send("POST", "/tasks/batch", #"[{"task_type":"test"}]"#).text("batch_id")
            }
            let first = try scene.send("GET", "/batches?limit=3")
            let cursor = try first.text("next_cursor")
            let rest = try scene.send("GET", "/batches?limit=3&cursor=\(cursor)")
            let found = try (first.list("batches") + rest.list("batches")).compactMap {
                $0["batch_id"] as? String
            }
            #expect(found == made.reversed())
        }
    }
}
