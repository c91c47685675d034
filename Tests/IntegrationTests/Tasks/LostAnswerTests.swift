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
            let scene = Shared(try TaskAPIScene())
            let schedule = #"{"task_type":"test","cron":"0 3 1 1 *"}"#
            #expect(try scene.value.send("PUT", "/schedules/MARK", schedule).status == 200)
            let open = try scene.value.send("POST", "/tasks/batch", #"{"open":true}"#)
            let path = request.path.replacing("OPEN", with: try open.text("batch_id"))
            let headers = request.hasKey ? ["Idempotency-Key: MARK"] : []
            let client = try Proxy(to: scene.value.port)
            client.cut(afterBytesToClient: 0)
            let ports = [client.port, scene.value.port, scene.value.port]
            var answers = try await withThrowingTaskGroup(of: RawAnswer.self) { group in
                for port in ports {
                    group.addTask {
                        try await blocking {
                            try scene.value.send(
                                "POST",
                                path,
                                request.body,
                                port: port,
                                headers: headers
                            ).raw
                        }
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(client.cuts == 1 && answers.count { $0.status == 0 } == 1)
            answers.removeAll { $0.status == 0 }
            answers.append(
                try scene.value.send("POST", path, request.body, headers: headers).raw
            )
            #expect(answers.map(\.status) == [202, 202, 202])
            #expect(Set(answers.map(\.body)).count == 1)
            let rows = try scene.value.tasks.sql("SELECT count(*) FROM \(request.table)")
            #expect(rows.integer(0, 0) == request.count)
        }
    }
}
