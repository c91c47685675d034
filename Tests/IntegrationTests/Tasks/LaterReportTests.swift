import Foundation
import Postgres
import TestSupport
import Testing

@testable import TaskAPI
@testable import Tasks

extension Integration {
    /// Services that answer 202 to a worker, and report to the API.
    struct LaterReportTests {
        private let service: StubServer
        private let scene: WorkerProcessScene

        init() throws {
            service = try StubServer { _ in .status(202) }
            scene = try WorkerProcessScene(
                types: ["later": #"{"kind": "http", "url": "\#(service.url)/later"}"#],
                settings: ["HTTP_TARGET_HOSTS": "127.0.0.1"]
            )
        }

        /// Waits until the service was asked so often, and the worker has let go of the task.
        ///
        /// - Returns: the run's token.
        private func token(ofRequest number: Int, _ id: TaskID) throws -> String {
            try eventually("the service has the run") {
                try service.requests.count == number
                    && scene.sql(
                        """
                        SELECT 1 FROM amity_tasks
                        WHERE id = '\(id)' AND state = 4 AND worker IS NULL
                        """
                    ).count == 1
            }
            return try #require(service.requests.last?.headers["amity-run-token"])
        }

        private func report(
            _ id: TaskID,
            _ path: String,
            _ body: String,
            _ token: String
        ) throws -> TaskAPIScene.Answer {
            let method = path.isEmpty ? "PATCH" : "POST"
            let headers = ["amity-run-token: \(token)"]
            return try scene.api.send(method, "/tasks/\(id)/run\(path)", body, headers: headers)
        }

        private func due(_ id: TaskID) throws -> Date {
            try #require(try scene.view(id).dueAt)
        }

        /// Faults: a worker that ends takes the task back from its service, which asks it twice;
        /// progress does not give the service more time; a result comes to nothing.
        @Test func aServiceReportsProgressAndItsResult() throws {
            let worker = try scene.startWorker(of: Command.amity)
            let id = try scene.submit("later", #"{"pages":3}"#)
            let token = try token(ofRequest: 1, id)
            worker.signal(SIGTERM)
            #expect(try worker.waitForExit() == 0)
            let before = try due(id)
            let told = try report(id, "", #"{"progress":30,"note":"half of them"}"#, token)
            #expect(told.status == 200)
            #expect(try scene.get(id)["progress"] as? Int == 30)
            #expect(try due(id) > before)
            let ended = try report(id, "/complete", #"{"result":{"pages":[1,2,3]}}"#, token)
            #expect(try ended.text("status") == "completed")
            let task = try scene.get(id)
            #expect(task["status"] as? String == "completed" && task["attempt"] as? Int == 1)
            #expect((task["result"] as? [String: [Int]])?["pages"] == [1, 2, 3])
            #expect(service.requests.count == 1)
        }

        /// Fault: a service is quick, and its worker takes the task that has ended for one that
        /// goes on.
        @Test func aServiceMayReportBeforeItAnswers() throws {
            let port = scene.api.port
            service.answer { request in
                let id = request.headers["webhook-id"]?.split(separator: ".").first ?? ""
                let token = "amity-run-token: \(request.headers["amity-run-token"] ?? "")"
                let type = "Content-Type: application/json"
                do {
                    let answer = try RawAnswer.post(
                        "/api/v1/tasks/\(id)/run/complete",
                        #"{"result":"early"}"#,
                        port: port,
                        headers: [token, type]
                    )
                    return .status(answer.status == 200 ? 202 : 500)
                } catch {
                    return .status(500)
                }
            }
            try scene.startWorker(of: Command.amity)
            let ids = try (0..<5).map { _ in try scene.submit("later", "{}") }
            for id in ids { try scene.wait(for: id, toBe: .completed) }
            // The worker has nothing left that it would give back.
            try eventually("all are let go") {
                try scene.store.workers().allSatisfy {
                    try scene.store.ownRuns(of: $0.worker).isEmpty
                }
            }
            for id in ids {
                #expect(try scene.get(id)["result"] as? String == "early")
                #expect(try scene.view(id).run == 1)
            }
            #expect(service.requests.count == 5)
        }

        /// Fault: the service's first process was slow, and its result replaces the second one's.
        @Test func aTokenIsOfItsRunAlone() throws {
            try scene.startWorker(of: Command.amity)
            let id = try scene.submit("later", "{}")
            let old = try token(ofRequest: 1, id)
            let failed = try report(id, "/fail", #"{"code":"BUSY","message":"later"}"#, old)
            #expect(try failed.text("status") == "scheduled")
            let new = try token(ofRequest: 2, id)
            #expect(old != new)
            for (path, body) in [
                ("", #"{"progress":99}"#), ("/complete", #"{"result":"old"}"#),
                ("/fail", #"{"code":"OLD","retry":false}"#),
            ] {
                let refused = try report(id, path, body, old)
                #expect(try refused.status == 409 && refused.code == "not_yours")
            }
            #expect(try scene.view(id).percent == nil)
            #expect(try report(id, "/complete", #"{"result":"new"}"#, new).status == 200)
            #expect(try scene.get(id)["result"] as? String == "new")
            #expect(try scene.view(id).attempts == 1)
        }

        /// Fault: a service that never reports keeps its task for ever, or is asked for ever.
        @Test func aServiceThatNeverReportsSpendsItsAttempts() throws {
            try scene.startWorker(of: Command.amity)
            let id = try scene.submit("later", "{}", #""timeout_seconds":1,"retry_limit":1"#)
            try scene.wait(for: id, toBe: .failed, within: .seconds(30))
            #expect(try scene.error(of: id).code == "TIMEOUT")
            let view = try scene.view(id)
            #expect(view.attempts == 2 && view.run == 2)
            #expect(service.requests.count == 2)
            let tokens = service.requests.compactMap { $0.headers["amity-run-token"] }
            for token in tokens {
                let late = try report(id, "/complete", #"{"result":"late"}"#, token)
                #expect(try late.code == "not_yours")
            }
            #expect(try scene.store.get(id)?.result == nil)
        }
    }
}
