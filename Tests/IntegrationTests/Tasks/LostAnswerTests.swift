import Foundation
import TestSupport
import Testing

@testable import Tasks

extension Integration {
    /// A client sends a request three times at once; one of the answers is lost when the work is
    /// done, and it sends that one again.
    struct LostAnswerTests {
        struct Request: Sendable, CustomTestStringConvertible {
            var path: String
            var body: String
            /// Of which there is one, or one for each task of the body.
            var table = "amity_tasks"
            var count = 1
            /// Without one it is the body that tells two requests apart.
            var hasKey = true

            var testDescription: String { path }
        }

        private static let task = #"{"task_type":"test","payload":"MARK"}"#
        static let requests = [
            Request(path: "/tasks", body: task),
            Request(path: "/tasks/batch", body: "[\(task),\(task)]", count: 2),
            Request(path: "/batches/OPEN/tasks", body: "[\(task),\(task)]", count: 2),
            Request(path: "/schedules/MARK/run", body: ""),
            Request(
                path: "//v1/conversations/end",
                body: String(decoding: IntakeScene.body("MARK"), as: UTF8.self),
                table: "conversation_events",
                hasKey: false
            ),
        ]

        /// Fault: a client that had no answer has its work done twice. (The answer to the COMMIT is
        /// lost in `SubmitTests` and `IntakeFaultTests`.)
        @Test(arguments: requests)
        func whatIsSentAgainIsDoneOnce(request: Request) async throws {
            let (scene, batch) = try Self.scene()
            let path = request.path.replacing("OPEN", with: batch)
            let headers = request.hasKey ? ["Idempotency-Key: MARK"] : []
            let answers = try await Self.sendAgain(path, request.body, headers, to: scene)
            #expect(answers.map(\.status) == [202, 202, 202])
            #expect(Set(answers.map(\.body)).count == 1)
            let rows = try scene.value.tasks.sql("SELECT count(*) FROM \(request.table)")
            #expect(rows.integer(0, 0) == request.count)
        }

        /// With a schedule MARK and an open batch.
        private static func scene() throws -> (Shared<TaskAPIScene>, batch: String) {
            let scene = try TaskAPIScene()
            let schedule = #"{"task_type":"test","cron":"0 3 1 1 *"}"#
            #expect(try scene.send("PUT", "/schedules/MARK", schedule).status == 200)
            let open = try scene.send("POST", "/tasks/batch", #"{"open":true}"#)
            return (Shared(scene), try open.text("batch_id"))
        }

        /// Three times at once, and once more the one whose answer was lost.
        private static func sendAgain(
            _ path: String,
            _ body: String,
            _ headers: [String],
            to scene: Shared<TaskAPIScene>
        ) async throws -> [RawAnswer] {
            let client = try Proxy(to: scene.value.port)
            client.cut(afterBytesToClient: 0)
            let ports = [client.port, scene.value.port, scene.value.port]
            func send(to port: UInt16) async throws -> RawAnswer {
                try await blocking {
                    try scene.value.send("POST", path, body, port: port, headers: headers).raw
                }
            }
            var answers = try await withThrowingTaskGroup(of: RawAnswer.self) { group in
                for port in ports { group.addTask { try await send(to: port) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(client.cuts == 1 && answers.count { $0.status == 0 } == 1)
            answers.removeAll { $0.status == 0 }
            answers.append(try await send(to: scene.value.port))
            return answers
        }

        struct Change: Sendable, CustomTestStringConvertible {
            var path: String
            var body = ""
            var statuses: Set<Int> = [200]
            /// Answers one row.
            var effect: String

            var testDescription: String { path }
        }

        static let changes = [
            Change(
                path: "/tasks/cancel",
                body: #"{"type":"test"}"#,
                effect: "SELECT FROM amity_tasks WHERE state = 7 AND run = 1"
            ),
            Change(
                path: "/tasks/TASK/retry",
                statuses: [202, 409],
                effect: "SELECT FROM amity_tasks WHERE state = 3 AND run = 2"
            ),
            Change(
                path: "/batches/BATCH/close",
                effect: "SELECT FROM amity_batches WHERE closed_at IS NOT NULL"
            ),
            Change(
                path: "/limits/pause",
                body: #"{"pool":"default"}"#,
                effect: "SELECT FROM amity_pauses"
            ),
            Change(
                path: "/schedules/MARK/pause",
                effect: "SELECT FROM amity_schedules WHERE paused_at IS NOT NULL"
            ),
        ]

        /// Fault: a client that asks again for a change, because it had no answer, changes more.
        @Test(arguments: changes)
        func whatIsAskedAgainChangesNothingMore(change: Change) async throws {
            let (scene, batch) = try Self.scene()
            let task = try scene.value.submit()
            if change.path.hasSuffix("retry") { _ = try scene.value.tasks.store.cancel(task) }
            let path = change.path.replacing("TASK", with: task.text)
                .replacing("BATCH", with: batch)
            let headers = ["Idempotency-Key: MARK"]
            let answers = try await Self.sendAgain(path, change.body, headers, to: scene)
            #expect(Set(answers.map(\.status)).isSubset(of: change.statuses))
            #expect(try scene.value.tasks.sql(change.effect).count == 1)
        }
    }
}
