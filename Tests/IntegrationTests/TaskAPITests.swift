import Concurrency
import Foundation
import TestSupport
import Testing

@testable import Tasks

/// Tasks over HTTP: what clients of `amity api` send and are answered.
extension Integration {
    struct TaskAPI {
        /// Fault: what clients of an earlier service send is refused as printed.
        @Test func theFirstExampleWorksAsPrinted() throws {
            let scene = try TaskAPIScene()
            let answer = try scene.send(
                "POST",
                "/tasks",
                #"{"task_type":"test","payload":{"message":"hello"}}"#
            )
            #expect(answer.status == 202)
            let id = try answer.text("task_id")
            #expect(answer.raw.header("Location") == ["/api/v1/tasks/\(id)"])
            #expect(try answer.text("status") == "queued")
            let task = try scene.send("GET", "/tasks/\(id)")
            #expect(task.status == 200)
            #expect(try task.text("priority") == "normal")
            #expect(try task.json["result"] is NSNull)
            let list = try scene.send("GET", "/tasks").list("tasks")
            #expect(list.compactMap { $0["task_id"] as? String } == [id])
            let cancelled = try scene.send("DELETE", "/tasks/\(id)")
            #expect(try cancelled.status == 200 && cancelled.text("status") == "cancelled")
            let again = try scene.send("DELETE", "/tasks/\(id)")
            #expect(try again.status == 200 && again.text("status") == "cancelled")
            let none = try scene.send("GET", "/tasks/11111111-1111-4111-8111-111111111111")
            #expect(try none.status == 404 && none.code == "not_found")
            #expect(try scene.send("GET", "/tasks/one").status == 404)
            #expect(!scene.api.log.contains("hello"), "a payload is in no log")
        }

        /// Fault: an example of the article is refused.
        @Test func theExamplesAreTakenAsPrinted() throws {
            let scene = try TaskAPIScene()
            let article = Servers.root.appending(path: "Sources/AmityCLI/Amity.docc/API.md")
            let text = try String(contentsOf: article, encoding: .utf8)
            let pattern = /curl -X POST http:\/\/localhost:8084(\S+) -H "([^"]+)" -d '([^']+)'/
            let examples = text.matches(of: pattern).filter { $0.1 == "/api/v1/tasks" }
            try #require(examples.count == 2)
            for example in examples {
                let header = [String(example.2)]
                let body = String(example.3)
                #expect(try scene.send("POST", "/tasks", body, headers: header).status == 202)
            }
        }

        @Test func aTaskIsMadeAsItsMembersSay() throws {
            let scene = try TaskAPIScene()
            let id = try scene.submit(
                #"""
                "kb_id":"kb","payload":[1,{"a":"\u00e9"}],"priority":"critical","retry_limit":7,
                "timeout_seconds":9,"run_at":"2099-01-01T02:00:00.5+02:00","unique":"key",
                "deadline":"2099-01-02T00:00:00Z","tags":["a","b"]
                """#
            )
            let task = try #require(try scene.tasks.store.get(id))
            #expect(task.view.kbID == "kb" && task.view.priority == .critical)
            #expect(task.view.maxAttempts == 8 && task.timeout == 9)
            #expect(task.view.state == .scheduled && task.view.uniqueKey == "key")
            #expect(task.view.dueAt == Date(timeIntervalSince1970: 4_070_908_800.5))
            #expect(task.view.deadline == Date(timeIntervalSince1970: 4_070_995_200))
            #expect(task.payload == #"[1, {"a": "é"}]"# && task.tags == #"["a", "b"]"#)
            let shown = try scene.send("GET", "/tasks/\(id)")
            #expect(try shown.text("next_run_at") == "2099-01-01T00:00:00.500Z")
            let delayed = try scene.submit(#""delay_seconds":3600"#)
            #expect(try scene.tasks.state(delayed) == .scheduled)
        }

        @Test func aBatchIsMadeAsAWholeOrNotAtAll() throws {
            let scene = try TaskAPIScene()
            let one = #"{"task_type":"benchmark"}"#
            let good = "[\(Array(repeating: one, count: 1000).joined(separator: ","))]"
            let answer = try scene.send("POST", "/tasks/batch", #"{"tasks":\#(good)}"#)
            #expect(answer.status == 202)
            #expect(try answer.list("results").count == 1000)
            let batch = try answer.text("batch_id")
            let page = try scene.send("GET", "/tasks?batch_id=\(batch)&limit=200")
            #expect(try page.list("tasks").count == 200)
            #expect(try scene.send("POST", "/tasks/batch", "[\(one)]").status == 202)

            let bad = #"{"tasks":[\#(one),{"task_type":"none"},{"task_type":"test","more":1}]}"#
            let refused = try scene.send("POST", "/tasks/batch", bad)
            #expect(refused.status == 422)
            #expect(try refused.pointers == ["/tasks/1/task_type", "/tasks/2/more"])
            let large = "[\(Array(repeating: one, count: 1001).joined(separator: ","))]"
            for body in [large, "[]", #"{"tasks":{}}"#, "3"] {
                #expect(try scene.send("POST", "/tasks/batch", body).status == 422)
            }
            let count = try scene.tasks.sql("SELECT count(*) FROM amity_tasks").integer(0, 0)
            #expect(count == 1001)
        }

        // MARK: Repetition

        @Test func aKeyIsForOneBody() throws {
            let scene = Shared(try TaskAPIScene())
            let body = #"{"task_type":"test","payload":1}"#
            let key = ["Idempotency-Key: one"]
            #expect(try scene.value.send("POST", "/tasks", body, headers: key).status == 202)
            let other = #"{"task_type":"test","payload":2}"#
            let refused = try scene.value.send("POST", "/tasks", other, headers: key)
            #expect(try refused.status == 422 && refused.code == "idempotency_key_reused")
            let long = ["Idempotency-Key: \(String(repeating: "k", count: 256))"]
            #expect(try scene.value.send("POST", "/tasks", body, headers: long).status == 422)
            let batch = "[\(body),\(body)]"
            let headers = ["Idempotency-Key: many"]
            let first = try scene.value.send("POST", "/tasks/batch", batch, headers: headers)
            let second = try scene.value.send("POST", "/tasks/batch", batch, headers: headers)
            #expect(first.raw.body == second.raw.body)
            let rows = try scene.value.tasks.sql("SELECT count(*) FROM amity_tasks")
            #expect(rows.integer(0, 0) == 3)
        }

        @Test func aUniqueTaskThatLivesIsAnswered() throws {
            let scene = try TaskAPIScene()
            let body = #"{"task_type":"test","unique":"nightly"}"#
            let first = try scene.send("POST", "/tasks", body)
            #expect(try first.json["duplicate"] == nil)
            let second = try scene.send("POST", "/tasks", body)
            #expect(try second.status == 202 && second.json["duplicate"] as? Bool == true)
            let id = try first.text("task_id")
            #expect(try second.text("task_id") == id)
            _ = try scene.send("DELETE", "/tasks/\(id)")
            #expect(try scene.send("POST", "/tasks", body).text("task_id") != id)
            let retried = try scene.send("POST", "/tasks/\(id)/retry")
            #expect(try retried.status == 409 && retried.code == "unique_twin_lives")
        }

        // MARK: Bodies

        /// Fault: a mistake is stored, or a client is told that something is wrong and not what.
        @Test func aWrongBodyIsRefusedByItsMember() throws {
            let scene = try TaskAPIScene()
            for (body, pointer) in Self.wrongBodies {
                let answer = try scene.send("POST", "/tasks", body)
                #expect(answer.status == 422, "\(body.prefix(100)) \(answer.raw.body)")
                #expect(try answer.code == "invalid")
                #expect(try answer.pointers == [pointer], "\(body.prefix(100))")
                #expect(!answer.raw.body.contains("SECRET"))
            }
        }

        private static let wrongBodies: [(String, String)] =
            [
                (#"{}"#, "/task_type"), (#"[]"#, ""), (#"{"task_type":7}"#, "/task_type"),
                (#"{"task_type":"SECRET"}"#, "/task_type"),
            ]
            + [
                (#""kb_id":"""#, "/kb_id"), (#""kb_id":7"#, "/kb_id"),
                (#""kb_id":"a\u0000b""#, "/kb_id"),
                (#""kb_id":"\#(String(repeating: "k", count: 256))""#, "/kb_id"),
                (#""payload":{"SECRET":"\u0000"}"#, "/payload"),
                (#""payload":"\ud800""#, "/payload"), (#""payload":1e400"#, "/payload"),
                (#""payload":"\#(String(repeating: "p", count: 256 << 10))""#, "/payload"),
                (#""priority":"SECRET""#, "/priority"), (#""priority":0"#, "/priority"),
                (#""retry_limit":101"#, "/retry_limit"), (#""retry_limit":-1"#, "/retry_limit"),
                (#""retry_limit":1.5"#, "/retry_limit"),
                (#""delay_seconds":-1"#, "/delay_seconds"),
                (#""delay_seconds":1e99"#, "/delay_seconds"),
                (#""delay_seconds":1,"run_at":"2099-01-01T00:00:00Z""#, "/run_at"),
                (#""run_at":"tomorrow""#, "/run_at"),
                (#""run_at":"2026-02-30T00:00:00Z""#, "/run_at"),
                (#""deadline":17"#, "/deadline"),
                (#""unique":"\#(String(repeating: "u", count: 256))""#, "/unique"),
                (#""timeout_seconds":0"#, "/timeout_seconds"),
                (#""timeout_seconds":86401"#, "/timeout_seconds"),
                (#""tags":"a""#, "/tags"), (#""tags":[""]"#, "/tags"),
                (#""tags":["a\u0000"]"#, "/tags"),
                (
                    #""tags":[\#(Array(repeating: "\"a\"", count: 21).joined(separator: ","))]"#,
                    "/tags"
                ),
                (#""needs":"SECRET""#, "/needs"), (#""callback":"SECRET""#, "/callback"),
                (#""limit_key":"k""#, "/limit_key"), (#""more/less":1"#, "/more~1less"),
            ].map { (#"{"task_type":"test","# + $0.0 + "}", $0.1) }

        @Test func whatIsNoRequestIsRefusedAsSuch() throws {
            let scene = try TaskAPIScene()
            let body = #"{"task_type":"test"}"#
            let broken = try scene.send("POST", "/tasks", "{")
            #expect(try broken.status == 400 && broken.code == "malformed_json")
            let plain = try scene.send(
                "POST",
                "/tasks",
                body,
                headers: ["Content-Type: text/plain"]
            )
            #expect(plain.status == 415)
            let large = String(repeating: " ", count: 330 << 10)
            #expect(try scene.send("POST", "/tasks", large).status == 413)
            for (method, path) in [
                ("PUT", "/tasks"), ("DELETE", "/tasks"), ("GET", "/tasks/batch"),
                ("PUT", "/tasks/11111111-1111-4111-8111-111111111111"), ("POST", "/types"),
                ("GET", "//v1/conversations/end"), ("POST", "//metrics"),
            ] {
                let answer = try scene.send(method, path)
                #expect(answer.status == 405, "\(method) \(path)")
                #expect(!answer.raw.header("Allow").isEmpty)
            }
            #expect(try scene.send("GET", "/nothing").status == 404)
            for query in ["status=odd", "limit=0", "limit=x", "cursor=x", "sort=id", "batch_id=1"] {
                #expect(try scene.send("GET", "/tasks?\(query)").status == 422, "\(query)")
            }
            let foreign = try RawAnswer.get("/api/v1/tasks", port: scene.port, host: "evil.example")
            #expect(foreign.status == 421)
        }
    }
}

/// For closures of other tasks, which use it one after another or only to send.
final class Shared<Value>: @unchecked Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
}
