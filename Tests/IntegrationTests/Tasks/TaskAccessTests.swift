import Foundation
import TestSupport
import Testing

@testable import Tasks

extension Integration {
    struct TaskAccess {
        private static let administrator = "a-token-of-many-signs"

        /// Fault: a client of one kb makes, sees or stops what is another's.
        @Test func aTokenOfAKbReachesNoOther() throws {
            let scene = try TaskAPIScene(token: Self.administrator)
            let store = scene.tasks.ownersStore()
            let all: Set<Scope> = [.writeTasks, .readTasks, .cancelTasks]
            let (_, secret) = try store.createToken(name: "a", scopes: all, kbID: "kb-a")
            let foreign = try scene.submit(#""kb_id":"kb-b""#)
            let own = try scene.submit(token: secret)
            #expect(try scene.tasks.store.get(own)?.view.kbID == "kb-a")
            func send(
                _ method: String,
                _ path: String,
                _ body: String? = nil
            ) throws -> TaskAPIScene.Answer {
                try scene.send(method, path, body, token: secret)
            }
            let body = #"{"task_type":"test","kb_id":"kb-b"}"#
            #expect(try send("POST", "/tasks", body).code == "foreign_kb")
            #expect(try send("POST", "/tasks/batch", "[\(body)]").status == 403)
            #expect(try send("GET", "/tasks?kb_id=kb-b").status == 403)
            #expect(try send("POST", "/tasks/cancel", #"{"kb_id":"kb-b"}"#).status == 403)
            let listed = try send("GET", "/tasks").list("tasks")
            #expect(listed.compactMap { $0["task_id"] as? String } == [own.text])
            #expect(try send("GET", "/tasks/\(foreign)").status == 404)
            #expect(try send("DELETE", "/tasks/\(foreign)").status == 404)
            #expect(try send("POST", "/tasks/\(foreign)/retry").status == 404)
            let change = #"{"priority":"low"}"#
            #expect(try send("PATCH", "/tasks/\(foreign)", change).status == 404)
            let cancelled = try send("POST", "/tasks/cancel", #"{"dry_run":false}"#)
            #expect(try cancelled.json["task_ids"] as? [String] == [own.text])
            #expect(try scene.tasks.state(foreign) == .queued)
        }

        /// Fault: a token opens what it was not made for.
        @Test func aTokenOpensWhatItsScopesSay() throws {
            let scene = try TaskAPIScene(token: Self.administrator)
            let store = scene.tasks.ownersStore()
            var secrets: [Scope: String] = [:]
            for scope in Scope.allCases {
                secrets[scope] = try store.createToken(name: "one", scopes: [scope]).secret
            }
            let id = try scene.submit()
            try scene.tasks.store.renewWorker(TaskScene.worker)
            let task = #"{"task_type":"test"}"#
            let conversation = String(decoding: IntakeScene.body("con"), as: UTF8.self)
            let routes: [(String, String, String?, Set<Scope>)] = [
                ("POST", "/tasks", task, [.writeTasks]),
                ("POST", "/tasks/batch", "[\(task)]", [.writeTasks]),
                ("GET", "/tasks", nil, [.readTasks]), ("GET", "/tasks/\(id)", nil, [.readTasks]),
                ("PATCH", "/tasks/\(id)", #"{"priority":"low"}"#, [.writeTasks]),
                ("POST", "/tasks/cancel", #"{"type":"none"}"#, [.cancelTasks]),
                ("DELETE", "/tasks/\(id)", nil, [.cancelTasks]),
                ("POST", "/tasks/\(id)/retry", nil, [.writeTasks]),
                ("GET", "/documents/search?q=a", nil, [.readTasks]),
                ("GET", "/types", nil, [.readTasks, .writeTasks]),
                ("GET", "/stats/queues", nil, [.operations]),
                ("GET", "/stats/workers", nil, [.operations]),
                ("GET", "/stats/scale", nil, [.operations]),
                ("POST", "/workers/\(TaskScene.worker)/drain", nil, [.operations]),
                ("GET", "//metrics", nil, [.operations]),
                ("POST", "//v1/conversations/end", conversation, [.writeConversations]),
            ]
            for (method, path, body, scopes) in routes {
                for (scope, secret) in secrets {
                    let answer = try scene.send(method, path, body, token: secret)
                    let isOpen = scopes.contains(scope)
                    #expect((answer.status < 300) == isOpen, "\(method) \(path) \(scope)")
                    if !isOpen { #expect(try answer.code == "scope_missing") }
                }
                #expect(try scene.send(method, path, body, token: "wrong").status == 401)
                #expect(try scene.send(method, path, body, token: "amity_wrong").status == 401)
            }
        }

        /// Fault: who may do nothing any more may do it for as long as the process lives.
        @Test func aRevokedTokenOpensNothingWithinSeconds() throws {
            let scene = try TaskAPIScene()
            #expect(try scene.send("GET", "/tasks").status == 200)
            let store = scene.tasks.ownersStore()
            let (token, secret) = try store.createToken(name: "one", scopes: [.readTasks])
            try eventually("this machine alone is not enough any more", within: .seconds(5)) {
                try scene.send("GET", "/tasks").status == 401
            }
            #expect(try scene.send("GET", "/tasks", token: secret).status == 200)
            #expect(try store.revokeToken(token.id))
            try eventually("the token opens nothing", within: .seconds(5)) {
                try scene.send("GET", "/tasks", token: secret).status == 401
            }
            #expect(!scene.api.log.contains(secret))
        }

        // MARK: What is missing

        /// Fault: intake stops where nothing but tasks is not set up.
        @Test func withoutTablesOfTasksIntakeGoesOn() throws {
            let scene = try TaskAPIScene(tables: false)
            let body = String(decoding: IntakeScene.body("con"), as: UTF8.self)
            #expect(try scene.send("POST", "//v1/conversations/end", body).status == 202)
            for (method, path, body) in [
                ("POST", "/tasks", #"{"task_type":"test"}"#), ("GET", "/tasks", nil),
                ("GET", "/stats/queues", nil), ("GET", "/documents/search?q=a", nil),
            ] {
                let answer = try scene.send(method, path, body)
                #expect(try answer.status == 503 && answer.code == "tasks_not_set_up")
                #expect(try answer.text("detail").contains("run amity migrate"))
            }
            let ready = try RawAnswer.get("/health/ready", port: scene.port)
            #expect(ready.status == 200, "\(ready.body)")
            #expect(try RawAnswer.get("/metrics", port: scene.port).status == 200)
        }

        @Test func aDatabaseThatIsAwayIsToldToClients() throws {
            let scene = try TaskAPIScene()
            let id = try scene.submit()
            try Servers.without(.postgres, .kill) {
                for (method, path, body) in [
                    ("POST", "/tasks", #"{"task_type":"test"}"#), ("GET", "/tasks/\(id)", nil),
                ] {
                    let answer = try scene.send(method, path, body)
                    #expect(answer.status == 503)
                    #expect(answer.raw.header("Retry-After") == ["5"])
                }
                #expect(try RawAnswer.get("/health/ready", port: scene.port).status == 503)
            }
            try scene.tasks.scene.reconnect()
            try eventually("it takes tasks again") {
                try scene.send("POST", "/tasks", #"{"task_type":"test"}"#).status == 202
            }
            // Its parts have sessions of their own.
            try eventually("it is ready") {
                try RawAnswer.get("/health/ready", port: scene.port).status == 200
            }
        }

        /// Fault: a process that has started before there were tables of tasks, or grants on them,
        /// takes tasks later and never schedules any.
        @Test func tasksAreScheduledOnceTheirTablesAreThere() throws {
            let scene = try TaskAPIScene(tables: false)
            try eventually("it says that there are none") {
                scene.api.events("scheduler.no-tasks").count == 1
            }
            let base = scene.tasks.scene
            let done = try base.amity(["migrate"], base.asOwner())
            try #require(done.status == 0, "\(done.error)")
            try Servers.psql(
                [
                    "-v", "role=\(base.name)", "-v", "tasks=1",
                    "-f", Servers.root.appending(path: "deploy/grants.sql").path,
                ],
                searchPath: base.name
            )
            let id = try scene.submit(#""delay_seconds":1"#)
            try eventually("it is due") { try scene.tasks.state(id) == .queued }
            #expect(scene.api.events("scheduler.no-tasks").count == 1)
        }
    }
}
