import Foundation
import Postgres
import Testing

@testable import Settings
@testable import Tasks

extension Integration {
    /// The rows of tasks' events, written with what they tell of.
    struct EventTests {
        static let on = ["EVENTS": "tasks"]
        fileprivate static let secret = "a secret"

        /// Fault: an end is told of no program, or told twice, or with what a handler said.
        @Test func everyChangeThatMattersIsWrittenOnce() throws {
            let scene = try TaskScene(settings: Self.on)
            for life in Life.allCases {
                let id = try life.take(on: scene)
                #expect(try Self.events(of: id, in: scene) == life.events, "\(life)")
            }
            let all = try scene.sql("SELECT headers ->> 'cloudEvents:id' FROM amity_outbox")
            let ids = try all.map { row throws(PostgresError) in try row.text() ?? "" }
            #expect(Set(ids).count == ids.count)
            let told = try scene.sql(
                "SELECT 1 FROM amity_outbox WHERE body || headers::text LIKE '%secret%'"
            )
            #expect(told.count == 0)
        }

        enum Life: CaseIterable {
            case success, retry, failure, lastAttempt, cancelledQueued, cancelledRunning, lateStart
            case lost, crashing, needFailed, silentService, byHand, interrupted

            var events: [String] {
                switch self {
                case .success: ["created 1", "started 1", "completed 1"]
                case .retry:
                    ["created 1", "started 1", "retried 1 BUSY", "started 2", "completed 2"]
                case .failure: ["created 1", "started 1", "failed 1 BUSY"]
                case .lastAttempt: ["created 1", "started 1", "failed 1 BUSY"]
                case .cancelledQueued: ["created 1", "cancelled 1"]
                case .cancelledRunning: ["created 1", "started 1", "cancelled 1"]
                case .lateStart: ["created 1", "failed 1 DEADLINE_EXCEEDED"]
                case .lost: ["created 1", "started 1", "started 2"]
                case .crashing: ["created 1", "started 1", "failed 1 WORKER_CRASHED"]
                case .needFailed: ["created 1", "cancelled 1 NEED_FAILED"]
                case .silentService: ["created 1", "started 1", "retried 1 TIMEOUT"]
                case .byHand:
                    ["created 1", "started 1", "failed 1 BUSY", "retried 1 BUSY", "started 2"]
                case .interrupted: ["created 1", "started 1", "started 2", "completed 2"]
                }
            }

            func take(on scene: TaskScene) throws -> TaskID {
                let store = scene.store
                func fail(_ id: TaskID, retries: Bool) throws {
                    _ = try store.finish(
                        id,
                        run: 1,
                        as: .failed(code: "BUSY", message: EventTests.secret, retries: retries)
                    )
                }
                switch self {
                case .success:
                    let id = try scene.begin { $0.payload = "{\"text\":\"\(EventTests.secret)\"}" }
                    let result = "{\"text\":\"\(EventTests.secret)\"}"
                    _ = try store.finish(id, run: 1, as: .succeeded(result: result))
                    return id
                case .retry:
                    let id = try scene.begin()
                    try fail(id, retries: true)
                    try queueAgain(id, on: scene)
                    try scene.claim(id, run: 2)
                    _ = try store.finish(id, run: 2, as: .succeeded(result: nil))
                    return id
                case .failure:
                    let id = try scene.begin()
                    try fail(id, retries: false)
                    return id
                case .lastAttempt:
                    let id = try scene.begin { $0.retryLimit = 0 }
                    try fail(id, retries: true)
                    return id
                case .cancelledQueued:
                    let id = try scene.submit()
                    _ = try store.cancel(id)
                    _ = try store.cancel(id)
                    return id
                case .cancelledRunning:
                    let id = try scene.begin()
                    _ = try store.cancel(id)
                    _ = try store.finish(id, run: 1, as: .stopped)
                    return id
                case .lateStart:
                    let id = try scene.submit()
                    try scene.sql(
                        """
                        UPDATE amity_tasks SET deadline = now() - interval '1 s',
                            due_at = now() - interval '1 s' WHERE id = $1::uuid
                        """,
                        .text(id.text)
                    )
                    _ = try store.expire(atMost: 10)
                    return id
                case .lost:
                    let id = try scene.begin()
                    _ = try store.giveBackLost()
                    try scene.claim(id, run: 2)
                    return id
                case .crashing:
                    let id = try scene.begin(worker: .random())
                    try scene.sql(
                        "UPDATE amity_tasks SET crashes = 3 WHERE id = $1::uuid",
                        .text(id.text)
                    )
                    _ = try store.giveBackLost()
                    return id
                case .needFailed:
                    let needed = try scene.begin()
                    let id = try scene.submit { $0.needs = [.task(needed)] }
                    try fail(needed, retries: false)
                    _ = try store.lookAtDependents(atMost: 10)
                    return id
                case .silentService:
                    let id = try scene.begin()
                    _ = try store.handOver(id, run: 1, worker: TaskScene.worker, timeout: 0)
                    _ = try store.timeOut(atMost: 10)
                    return id
                case .byHand:
                    let id = try scene.begin()
                    try fail(id, retries: false)
                    _ = try store.retry(id)
                    try scene.claim(id, run: 2)
                    return id
                case .interrupted:
                    let id = try scene.begin()
                    _ = try store.giveBack(id, run: 1, worker: TaskScene.worker)
                    try scene.claim(id, run: 2)
                    _ = try store.finish(id, run: 2, as: .succeeded(result: nil))
                    return id
                }
            }

            private func queueAgain(_ id: TaskID, on scene: TaskScene) throws {
                try scene.sql(
                    "UPDATE amity_tasks SET state = 3 WHERE id = $1::uuid",
                    .text(id.text)
                )
            }
        }

        /// In order: what, run, and code where there is one.
        private static func events(of id: TaskID, in scene: TaskScene) throws -> [String] {
            try scene.sql(
                """
                SELECT concat_ws(' ', split_part(routing_key, '.', 2),
                    body::json ->> 'run', body::json ->> 'error_code')
                FROM amity_outbox
                WHERE headers ->> 'cloudEvents:subject' = $1 ORDER BY id
                """,
                .text(id.text)
            ).map { row throws(PostgresError) in try row.text() ?? "" }
        }

        /// Fault: a field is missing or misspelt, and no program finds its events.
        @Test func anEventIsACloudEventWithItsTasksIds() throws {
            let scene = try TaskScene(settings: Self.on)
            let id = try scene.begin("resize") { ($0.kbID, $0.priority) = ("kb_1", .high) }
            _ = try scene.store.finish(id, run: 1, as: .succeeded(result: "1"))
            let row = try scene.sql(
                "SELECT routing_key, headers::text, body FROM amity_outbox ORDER BY id DESC LIMIT 1"
            )
            #expect(row.string(0, 0) == "task.completed.resize")
            let headers = try Self.json(row.string(0, 1))
            #expect(headers["cloudEvents:id"] as? String == "\(id).1.completed")
            #expect(headers["cloudEvents:source"] as? String == "/amity/tasks")
            #expect(headers["cloudEvents:specversion"] as? String == "1.0")
            #expect(headers["cloudEvents:type"] as? String == "amity.task.completed")
            #expect(headers["cloudEvents:subject"] as? String == id.text)
            let time = try #require(headers["cloudEvents:time"] as? String)
            #expect(time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z/) != nil)
            let data = try Self.json(row.string(0, 2))
            #expect(data["task_id"] as? String == id.text)
            #expect(data["task_type"] as? String == "resize")
            #expect(data["status"] as? String == "completed")
            #expect(data["kb_id"] as? String == "kb_1")
            #expect(data["priority"] as? String == "high")
            #expect(data["run"] as? Int == 1 && data["failures"] as? Int == 0)
            #expect(try #require(data["seconds"] as? Double) < 5)
            #expect(data["batch_id"] == nil && data["error_code"] == nil)
        }

        private static func json(_ text: String?) throws -> [String: Any] {
            let json = try JSONSerialization.jsonObject(with: Data(try #require(text).utf8))
            return try #require(json as? [String: Any])
        }

        /// Fault: what was not asked for fills the outbox of every installation.
        @Test func whereTheyAreOffNothingIsWritten() throws {
            let scene = try TaskScene()
            for life in EventTests.Life.allCases { _ = try life.take(on: scene) }
            #expect(try Self.count(scene) == 0)
        }

        /// Fault: a process that cancels by hand does not ask for events, and its tasks end in
        /// silence.
        @Test func theCommandLineWritesThemToo() throws {
            let scene = try TaskScene(settings: Self.on)
            let id = try scene.submit()
            let done = try scene.scene.amity(["tasks", "cancel", id.text])
            #expect(done.status == 0, "\(done.error)")
            #expect(try Self.events(of: id, in: scene) == ["created 1", "cancelled 1"])
        }

        /// Fault: what did not happen is told of.
        @Test func whatIsRolledBackLeavesNone() throws {
            let scene = try TaskScene(settings: Self.on)
            let id = try scene.begin()
            let refused = Statement("refused", "SELECT 1 / 0")
            #expect(throws: PostgresError.self) {
                try scene.store.finish(
                    id,
                    run: 1,
                    as: .succeeded(result: nil),
                    with: [(refused, [])]
                )
            }
            // One that was fenced off.
            _ = try scene.store.finish(id, run: 7, as: .succeeded(result: nil))
            #expect(try Self.events(of: id, in: scene) == ["created 1", "started 1"])
        }

        private static func count(_ scene: TaskScene) throws -> Int {
            try scene.sql("SELECT count(*) FROM amity_outbox").integer(0, 0) ?? -1
        }

        /// Fault: other programs hear nothing for an hour, and the status says that all is well.
        @Test func theStatusSaysHowManyEventsWait() throws {
            let tasks = try TaskScene(settings: Self.on)
            let before = try tasks.scene.amity(["status"]).output
            #expect(!before.contains("events"), "\(before)")
            for _ in 0..<3 { _ = try tasks.submit() }
            let after = try tasks.scene.amity(["status"])
            #expect(
                after.output.contains("\nevents that wait to be sent: 3, the oldest for "),
                "\(after.output)\(after.error)"
            )
            let json = try tasks.scene.amity(["status", "--json"]).output
            #expect(json.contains(#""waiting":3}"#) || json.contains(#""waiting":3,"#), "\(json)")
        }
    }
}
