import Concurrency
import Foundation
import TestSupport
import Testing

@testable import Tasks

extension Integration {
    struct TaskRoutes {
        /// Fault: a program calls what is described, and it is not there.
        @Test func allThatIsDescribedIsThere() throws {
            let scene = try TaskAPIScene()
            let operations = APIDescription.shared.operations
            try #require(operations.count > 15)
            for (path, method) in operations {
                let real = path.replacing("{id}", with: "11111111-1111-4111-8111-111111111111")
                    .replacing("{name}", with: "nightly")
                let answer = try RawAnswer.send(
                    method.uppercased(),
                    real,
                    port: scene.port,
                    headers: []
                )
                #expect(answer.status != 405, "\(method) \(path)")
                #expect(answer.status != 404 || path.contains("{"), "\(method) \(path)")
            }
        }

        // MARK: Lists

        /// Fault: a page repeats or leaves out tasks where others are made meanwhile.
        @Test func pagesHaveEachTaskOnce() throws {
            let scene = try TaskAPIScene()
            let ids = try (0..<25).map { _ in try scene.submit() }
            var (seen, cursor): ([String], String?) = ([], nil)
            repeat {
                let rest = cursor.map { "&cursor=\($0)" } ?? ""
                let page = try scene.send("GET", "/tasks?limit=10\(rest)")
                seen += try page.list("tasks").compactMap { $0["task_id"] as? String }
                cursor = try page.json["next_cursor"] as? String
                _ = try scene.submit()
            } while cursor != nil
            #expect(seen == ids.reversed().map(\.text))
        }

        @Test func aListIsWhatItsFilterSays() throws {
            let scene = try TaskAPIScene()
            let own = try scene.submit(#""kb_id":"a b""#)
            let other = try scene.submit(#""kb_id":"c","delay_seconds":60"#)
            func list(_ query: String) throws -> [String] {
                try scene.send("GET", "/tasks?\(query)").list("tasks")
                    .compactMap { $0["task_id"] as? String }
            }
            #expect(try list("kb_id=a%20b") == [own.text])
            #expect(try list("status=scheduled") == [other.text])
            #expect(try list("type=test") == [other.text, own.text])
            #expect(try list("type=none") == [])
            #expect(try list("created_after=2026-01-01T00:00:00Z").count == 2)
            #expect(try list("created_after=2099-01-01T00:00:00Z") == [])
            #expect(try list("cursor=\(other)") == [own.text])
        }

        // MARK: Moves

        @Test func whatAFilterNamesIsCancelled() throws {
            let scene = try TaskAPIScene()
            let kept = try scene.submit(#""kb_id":"other""#)
            let running = try scene.submit(#""kb_id":"kb""#)
            let waiting = try scene.submit(#""kb_id":"kb""#)
            try scene.tasks.claim(running, run: 1)
            func cancel(_ members: String) throws -> TaskAPIScene.Answer {
                try scene.send("POST", "/tasks/cancel", "{\(members)}")
            }
            let dry = try cancel(#""kb_id":"kb","dry_run":true"#)
            #expect(try dry.json["count"] as? Int == 2)
            #expect(try scene.tasks.state(waiting) == .queued)
            let done = try cancel(
                #""kb_id":"kb","type":"test","created_after":"2026-01-01T00:00:00Z""#
            )
            #expect(try done.json["task_ids"] as? [String] == [running.text, waiting.text])
            #expect(try scene.tasks.state(waiting) == .cancelled)
            #expect(try scene.tasks.state(running) == .processing)
            #expect(try scene.tasks.state(kept) == .queued)
            let told = try scene.send("DELETE", "/tasks/\(running)")
            #expect(try told.status == 202 && told.text("status") == "cancelling")
            #expect(try cancel("").pointers == [""])
            #expect(try cancel(#""status":"odd""#).pointers == ["/status"])
            #expect(try cancel(#""batch_id":"1""#).pointers == ["/batch_id"])
        }

        /// Fault: what is sent again with the unique key of a task that is being cancelled is told
        /// that it lives, and no one does the work.
        @Test func whatIsBeingCancelledSaysSo() throws {
            let scene = try TaskAPIScene()
            let id = try scene.submit(#""unique":"u""#)
            try scene.tasks.claim(id, run: 1)
            #expect(try scene.send("DELETE", "/tasks/\(id)").text("status") == "cancelling")
            #expect(try scene.send("GET", "/tasks/\(id)").text("status") == "cancelling")
            let row = try #require(try scene.send("GET", "/tasks").list("tasks").first)
            #expect(row["status"] as? String == "cancelling")
            let body = #"{"task_type":"test","unique":"u"}"#
            let again = try scene.send("POST", "/tasks", body)
            #expect(try again.text("status") == "cancelling" && again.text("task_id") == id.text)
            #expect(try scene.tasks.store.finish(id, run: 1, as: .stopped)?.state == .cancelled)
            let new = try scene.send("POST", "/tasks", body)
            #expect(try new.text("status") == "queued" && new.text("task_id") != id.text)
        }

        /// Fault: clients that encode a query as forms do, as most libraries do, find nothing.
        @Test func aPlusInAQueryIsASpace() throws {
            let scene = try TaskAPIScene()
            let id = try scene.submit(#""kb_id":"my kb""#)
            let other = try scene.submit(#""kb_id":"my+kb""#)
            let address = try scene.submit(#""kb_id":"s3://b""#)
            for (query, expected) in [
                ("my+kb", id), ("my%20kb", id), ("my%2Bkb", other), ("s3://b&limit=5", address),
            ] {
                let found = try scene.send("GET", "/tasks?kb_id=\(query)").list("tasks")
                #expect(found.map { $0["task_id"] as? String } == [expected.text], "\(query)")
            }
        }

        @Test func thePriorityOfWhatWaitsIsChanged() throws {
            let scene = try TaskAPIScene()
            let id = try scene.submit()
            func change(_ body: String) throws -> TaskAPIScene.Answer {
                try scene.send("PATCH", "/tasks/\(id)", body)
            }
            #expect(try change(#"{"priority":"high"}"#).text("priority") == "high")
            #expect(try change(#"{"priority":"high"}"#).status == 200)
            #expect(try scene.tasks.store.get(id)?.view.run == 2)
            #expect(try change(#"{"priority":"odd"}"#).pointers == ["/priority"])
            #expect(try change("{}").pointers == ["/priority"])
            #expect(try change(#"{"priority":"low","run":1}"#).pointers == ["/run"])
            try scene.tasks.claim(id, run: 2)
            let late = try change(#"{"priority":"low"}"#)
            #expect(try late.status == 409 && late.code == "not_pending")
        }

        @Test func whatHasFailedIsRetriedByHand() throws {
            let scene = try TaskAPIScene()
            let id = try scene.submit()
            #expect(try scene.send("POST", "/tasks/\(id)/retry").code == "not_retryable")
            try scene.tasks.claim(id, run: 1)
            let failure = RunOutcome.failed(code: "ODD", message: "why", retries: false)
            _ = try scene.tasks.store.finish(id, run: 1, as: failure)
            let failed = try scene.send("GET", "/tasks/\(id)")
            #expect(
                try failed.json["error"] as? [String: String] == ["code": "ODD", "message": "why"]
            )
            let retried = try scene.send("POST", "/tasks/\(id)/retry")
            #expect(try retried.status == 202 && retried.text("status") == "queued")
        }

        // MARK: Waiting

        /// Fault: a client asks every second, or waits to the end for what has happened.
        @Test func aLongPollWakesWhenTheTaskMoves() async throws {
            let scene = Shared(try TaskAPIScene())
            let id = try scene.value.submit()
            let clock = ContinuousClock()
            async let waited = blocking {
                let begin = clock.now
                let answer = try scene.value.send("GET", "/tasks/\(id)?wait=9")
                return (try answer.text("status"), begin.duration(to: clock.now))
            }
            try await Task.sleep(for: .milliseconds(700))
            try scene.value.tasks.sql("UPDATE amity_tasks SET state = 5, finished_at = now()")
            let (status, duration) = try await waited
            #expect(status == "completed")
            #expect(duration > .milliseconds(600) && duration < .seconds(4), "\(duration)")
            let begin = clock.now
            #expect(try scene.value.send("GET", "/tasks/\(id)?wait=30").status == 200)
            let other = try scene.value.submit()
            #expect(try scene.value.send("GET", "/tasks/\(other)?wait=0.5").status == 200)
            #expect(begin.duration(to: clock.now) < .seconds(4))
            #expect(try scene.value.send("GET", "/tasks/\(id)?wait=31").status == 422)
        }

        /// Fault: clients that wait keep the process from its end.
        @Test func aProcessThatStopsAnswersThoseThatWait() async throws {
            let scene = Shared(try TaskAPIScene())
            let id = try scene.value.submit()
            async let waited = blocking {
                try scene.value.send("GET", "/tasks/\(id)?wait=9").status
            }
            try await Task.sleep(for: .milliseconds(500))
            let begin = ContinuousClock.now
            scene.value.api.signal(SIGTERM)
            #expect(try scene.value.api.waitForExit() == 0)
            #expect(begin.duration(to: .now) < .seconds(6))
            #expect(try await waited == 200)
        }

        // MARK: Runs

        @Test func aServiceReportsOnItsRun() throws {
            let scene = try TaskAPIScene()
            let id = try scene.submit()
            let token = RunToken(run: 1)
            _ = try scene.tasks.store.claim(
                TaskClaim(id: id, run: 1, worker: TaskScene.worker, token: token),
                mayRunAlone: true
            )
            func report(
                _ method: String,
                _ path: String,
                _ body: String,
                _ token: RunToken
            ) throws -> TaskAPIScene.Answer {
                let headers = ["amity-run-token: \(token.text)"]
                return try scene.send(method, "/tasks/\(id)/run\(path)", body, headers: headers)
            }
            let early = try report("PATCH", "", #"{"progress":10}"#, token)
            #expect(early.status == 200)
            _ = try scene.tasks.store.handOver(id, run: 1, worker: TaskScene.worker, timeout: 9)
            let told = try report("PATCH", "", #"{"progress":50,"note":"half"}"#, token)
            #expect(told.status == 200)
            let task = try scene.send("GET", "/tasks/\(id)")
            #expect(try task.json["progress"] as? Int == 50)
            #expect(try task.json["estimated_completion"] is String)
            #expect(try report("PATCH", "", #"{"progress":101}"#, token).pointers == ["/progress"])
            let stranger = try report("PATCH", "", "{}", RunToken(run: 1))
            #expect(try stranger.status == 409 && stranger.code == "not_yours")
            #expect(try scene.send("PATCH", "/tasks/\(id)/run", "{}").status == 401)
            let large = #"{"result":"\#(String(repeating: "r", count: 65 << 10))"}"#
            #expect(try report("POST", "/complete", large, token).pointers == ["/result"])
            // As another header, and once more.
            for _ in 0..<2 {
                let body = #"{"result":{"pages":3}}"#
                let path = "/tasks/\(id)/run/complete"
                let ended = try scene.send("POST", path, body, token: token.text)
                #expect(try ended.text("status") == "completed")
            }
            for other in [#"{"result":{"pages":4}}"#, "{}"] {
                let second = try report("POST", "/complete", other, token)
                #expect(try second.status == 409 && second.code == "not_yours")
            }
            let result = try scene.send("GET", "/tasks/\(id)").json["result"]
            #expect(result as? [String: Int] == ["pages": 3])
            #expect(try report("POST", "/fail", #"{"code":"LATE"}"#, token).code == "not_yours")
        }

        @Test func aRunMayFailOrBeCancelled() throws {
            let scene = try TaskAPIScene()
            func begin() throws -> (TaskID, [String]) {
                let (id, token) = (try scene.submit(), RunToken(run: 1))
                let worker = TaskScene.worker
                _ = try scene.tasks.store.claim(
                    TaskClaim(id: id, run: 1, worker: worker, token: token),
                    mayRunAlone: true
                )
                _ = try scene.tasks.store.handOver(id, run: 1, worker: worker, timeout: 9)
                return (id, ["amity-run-token: \(token.text)"])
            }
            let (failing, token) = try begin()
            let path = "/tasks/\(failing)/run/fail"
            #expect(try scene.send("POST", path, "{}", headers: token).pointers == ["/code"])
            let body = #"{"code":"ODD","message":"why","retry":false}"#
            let failed = try scene.send("POST", path, body, headers: token)
            #expect(try failed.text("status") == "failed")
            let (cancelled, other) = try begin()
            #expect(try scene.send("DELETE", "/tasks/\(cancelled)").text("status") == "cancelled")
            for (method, rest) in [("PATCH", ""), ("POST", "/complete")] {
                let path = "/tasks/\(cancelled)/run\(rest)"
                #expect(try scene.send(method, path, "{}", headers: other).code == "cancelled")
            }
        }

        // MARK: Statistics

        @Test func statisticsSayWhatWaitsAndRuns() throws {
            let scene = try TaskAPIScene()
            try scene.tasks.sql(
                """
                INSERT INTO amity_task_types VALUES
                    ('resize', 'gpu', 3, '{"kind": "http", "url": "https://inside"}', 30, 4),
                    ('test', 'gpu', 1, '{"kind": "swift"}', 60, 1)
                """
            )
            let types = try scene.send("GET", "/types")
            let names = try types.list("types").compactMap { $0["type"] as? String }
            #expect(names == ["benchmark", "document_processing", "resize", "test"])
            #expect(!types.raw.body.contains("inside"))
            let id = try scene.submit()
            _ = try scene.submit()
            try scene.tasks.claim(id, run: 1)
            try scene.tasks.store.renewWorker(TaskScene.worker, facts: #"{"host":"h"}"#)
            let queue = try #require(try scene.send("GET", "/stats/queues").list("queues").first)
            #expect(queue["queue"] as? String == "gpu.high")
            #expect(queue["length"] as? Int == 1 && queue["processing"] as? Int == 1)
            #expect(queue["completed_per_minute"] as? Double == 0)
            #expect(queue["mean_wait_seconds"] is NSNull)
            let worker = try #require(try scene.send("GET", "/stats/workers").list("workers").first)
            #expect(worker["running"] as? Int == 1)
            #expect(worker["facts"] as? [String: String] == ["host": "h"])
            let scale = try scene.send("GET", "/stats/scale?pool=gpu").json
            let expected = [
                "backlog": 1, "running": 1, "value": 2, "paused": 0, "waiting": 0,
                "desired_workers": 1,
            ]
            #expect(scale as? [String: Int] == expected)
            #expect(try scene.send("GET", "/stats/scale?pool=cpu").json["value"] as? Int == 0)
            // Workers would stand idle before a paused pool.
            try scene.tasks.store.pause(.pool("gpu"), by: "mia")
            let paused = try scene.send("GET", "/stats/scale").json
            #expect(paused["paused"] as? Int == scale["backlog"] as? Int)
            #expect(paused["backlog"] as? Int == 0)
            // And before tasks that their limit, or a paused type, holds.
            try scene.tasks.sql("UPDATE amity_tasks SET state = 2 WHERE state = 3")
            let held = try scene.send("GET", "/stats/scale").json
            #expect(held["waiting"] as? Int == 1 && held["paused"] as? Int == 0)
            #expect(held["backlog"] as? Int == 0 && held["value"] as? Int == 1)
            try scene.tasks.sql("UPDATE amity_tasks SET state = 3 WHERE state = 2")
            let metrics = try RawAnswer.get("/metrics", port: scene.port).body
            #expect(metrics.contains("task_queue_size{queue=\"gpu.high\"} 1\n"))
            #expect(metrics.contains("task_queue_size{queue=\"default.low\"} 0\n"))
            #expect(
                metrics.contains(
                    "amity_task_requests_total{route=\"submit\",status=\"202\"} 2\n"
                )
            )
        }
    }
}
