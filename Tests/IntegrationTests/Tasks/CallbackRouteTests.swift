import Foundation
import Postgres
import TestSupport
import Testing

@testable import Tasks

extension Integration {
    /// Callbacks as clients ask for them, and as operators see them.
    struct CallbackRouteTests {
        @Test func aTaskAndABatchKeepTheirCallbacks() throws {
            let scene = try TaskAPIScene()
            let callback =
                #""callback":{"url":"https://A.example/h?k=1","secret":"#
                + #""TASK_SECRET_CALLBACK_A"}"#
            let id = try scene.submit(callback)
            let stored = try scene.tasks.sql(
                "SELECT callback::text FROM amity_task_data WHERE id = $1::uuid",
                .text(id.text)
            ).string(0, 0)
            let parsed = try JSONDecoder().decode(
                TaskCallback.self,
                from: Data((stored ?? "").utf8)
            )
            #expect(parsed.url == "https://A.example/h?k=1")
            #expect(parsed.secret == "TASK_SECRET_CALLBACK_A" && parsed.host == "a.example:443")
            let made = try scene.send(
                "POST",
                "/tasks/batch",
                #"{"tasks":[{"task_type":"test"}],"callback":{"url":"https://b.example/"}}"#
            )
            #expect(made.status == 202, "\(made.raw.body)")
            let batch = try scene.send("DELETE", "/batches/\(made.text("batch_id"))")
            #expect(batch.status == 200)
            try eventually("its callback waits", within: .seconds(10)) {
                let sql = "SELECT limit_key FROM amity_tasks WHERE type = 'amity.callback'"
                return try scene.tasks.sql(sql).string(0, 0) == "amity.callback:b.example:443"
            }
            #expect(try scene.send("GET", "/tasks/\(id)").raw.body.contains("example") == false)
        }

        /// Fault: a client has a request signed that a type's service takes for a task, or a
        /// request is taken whose callback can only fail.
        @Test func whatIsWrongIsNamed() throws {
            let scene = try TaskAPIScene()
            let cases: [(String, [String])] = [
                (#"{}"#, ["url"]), (#"{"url":""}"#, ["url"]), (#"{"url":7}"#, ["url"]),
                (#"{"url":"http://a.example/"}"#, ["url"]),
                (#"{"url":"https://127.0.0.1/"}"#, ["url"]),
                (#"{"url":"https://u:p@a.example/"}"#, ["url"]),
                (#"{"url":"ftp://a.example/"}"#, ["url"]),
                (#"{"url":"https://a.example/\#(String(repeating: "x", count: 2_000))"}"#, ["url"]),
                (#"{"url":"https://\#(String(repeating: "a.", count: 130))example/"}"#, ["url"]),
                (#"{"url":"https://a.example/","secret":"TASK_SECRET_RESIZE"}"#, ["secret"]),
                (#"{"url":"https://a.example/","secret":"PATH"}"#, ["secret"]),
                (#"{"url":"https://a.example/","headers":{}}"#, ["headers"]),
            ]
            for (callback, names) in cases {
                let task = #"{"task_type":"test","callback":\#(callback)}"#
                let one = try scene.send("POST", "/tasks", task)
                #expect(one.status == 422, "\(callback)")
                #expect(try one.pointers == names.map { "/callback/\($0)" }, "\(callback)")
                #expect(!one.raw.body.contains("example"))
                let many = try scene.send("POST", "/tasks/batch", "[\(task)]")
                #expect(try many.pointers == names.map { "/0/callback/\($0)" })
                let batch = #"{"tasks":[{"task_type":"test"}],"callback":\#(callback)}"#
                let whole = try scene.send("POST", "/tasks/batch", batch)
                #expect(try whole.pointers == names.map { "/callback/\($0)" })
            }
            let none = try scene.send("POST", "/tasks", #"{"task_type":"test","callback":null}"#)
            #expect(none.status == 202)
        }

        /// Fault: a client makes what only Amity makes: a request to any URL, with any body.
        @Test func noClientMakesACallbackItself() throws {
            let scene = try TaskAPIScene()
            let body = #"{"task_type":"amity.callback","payload":{"url":"https://a.example/"}}"#
            #expect(try scene.send("POST", "/tasks", body).pointers == ["/task_type"])
            #expect(try scene.send("POST", "/tasks/batch", "[\(body)]").status == 422)
            let schedule = #"{"cron":"@daily","task_type":"amity.callback"}"#
            #expect(try scene.send("PUT", "/schedules/a", schedule).status == 422)
            let made = try scene.tasks.scene.amity(["tasks", "submit", "amity.callback"])
            #expect(made.status == 1 && made.error.contains("amity.callback"))
        }

        @Test func aURLThatIsGoneIsListedAndEnabled() throws {
            let scene = try TaskAPIScene()
            for id in ["a", "b", "c"] {
                try scene.tasks.store.disable(
                    id,
                    url: "https://\(id).example/",
                    because: TaskScene.worker
                )
            }
            let first = try scene.send("GET", "/callbacks/disabled?limit=2")
            #expect(try first.list("disabled").map { $0["id"] as? String } == ["a", "b"])
            let cursor = try first.text("next_cursor")
            let rest = try scene.send("GET", "/callbacks/disabled?limit=2&cursor=\(cursor)")
            #expect(
                try rest.list("disabled").map { $0["url"] as? String } == ["https://c.example/"]
            )
            #expect(try scene.send("DELETE", "/callbacks/disabled/b").status == 200)
            #expect(try scene.send("DELETE", "/callbacks/disabled/b").status == 404)
            #expect(try scene.tasks.store.isDisabled("a") && !scene.tasks.store.isDisabled("b"))
        }

        // MARK: The command line

        @Test func batchesAreShownClosedAndCancelled() throws {
            let scene = try TaskAPIScene()
            let made = try scene.send(
                "POST",
                "/tasks/batch",
                ##"{"open":true,"tasks":[{"task_type":"test"},"##
                    + ##"{"task_type":"test","needs":["#0"]}]}"##
            )
            let id = try made.text("batch_id")
            func amity(_ arguments: String...) throws -> Command.Result {
                try scene.tasks.scene.amity(["batches"] + arguments)
            }
            let listed = try amity("list")
            #expect(listed.output.contains(id) && listed.output.contains("[......"))
            let shown = try amity("show", id)
            #expect(shown.output.contains("`- . #1 test"), "\(shown.output)\(shown.error)")
            #expect(try amity("show", id, "--json").output.contains(#""status":"open""#))
            #expect(try amity("close", id).output.contains("running"))
            #expect(try amity("cancel", id).output.contains("2 cancelled"))
            #expect(try amity("list", "--kb", "none").output.split(separator: "\n").count == 1)
            let none = try amity("show", TaskScene.worker.text)
            #expect(none.status == 1 && none.error.contains("no batch"))
        }

        /// Fault: an operator sees that nothing runs, and not that a colleague has paused it.
        @Test func theStatusTellsWhatIsPaused() throws {
            let scene = try TaskScene()
            _ = try scene.submit()
            func amity(_ arguments: [String]) throws -> Command.Result {
                try scene.scene.amity(arguments)
            }
            #expect(try amity(["limits", "pause", "--pool", "default"]).status == 0)
            #expect(try amity(["limits", "pause", "test"]).status == 0)
            #expect(try amity(["limits", "pause", "none"]).status == 1)
            let status = try amity(["status"]).output
            #expect(status.contains("! pool default is paused by "), "\(status)")
            #expect(status.contains("! type test is paused by "))
            let list = try amity(["limits", "list"]).output
            #expect(list.contains("pool default is paused by "), "\(list)")
            #expect(try amity(["limits", "resume", "test"]).status == 0)
            #expect(try amity(["limits", "resume", "test"]).status == 1)
        }
    }
}
