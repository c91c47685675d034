import Foundation
import HTTPCalling
import TestSupport
import Testing

@testable import TaskHandlers
@testable import Tasks

extension Integration {
    /// Services that answer 429 or 503 with `Retry-After`.
    struct PutOffTests {
        private func putOff(_ code: String = "HTTP_429") -> RunOutcome {
            .snoozed(seconds: 60, code: code, message: "later")
        }

        /// Fault: a service that answers "later" for ever keeps its task for ever.
        @Test func anAttemptIsPutOffForADayAndThenSpent() throws {
            let scene = try TaskWorkerScene()
            let stub = try StubServer { _ in .status(503, headers: ["retry-after": "600"]) }
            let handler = HTTPHandler(
                url: stub.url,
                secret: nil,
                environment: [:],
                client: GuardedClient(try TargetHosts("127.0.0.1"), connections: 1)
            )
            let id = try scene.submit { $0.retryLimit = 1 }[0]
            try scene.start(threads: 1, handlers: ["test": handler])
            func run(_ number: Int, endsAs state: TaskState) throws -> TaskDetail {
                if number > 1 {
                    try scene.tasks.sql("UPDATE amity_tasks SET state = 3, due_at = NULL")
                    let queue = TaskQueue(pool: scene.pool, priority: .normal)
                    try scene.publish(id, run: number, queue)
                }
                try eventually("run \(number) has ended") {
                    let view = try scene.view(id)
                    return view.state == state && (view.run > number || state.isFinal)
                }
                return try #require(try scene.store.get(id))
            }
            let first = try run(1, endsAs: .scheduled)
            #expect(first.view.attempts == 0 && first.view.errorCode == "HTTP_503")
            try scene.tasks.age(bySeconds: 86_000)
            let second = try run(2, endsAs: .scheduled)
            #expect(second.view.attempts == 0)
            try scene.tasks.age(bySeconds: 400)
            let third = try run(3, endsAs: .scheduled)
            #expect(third.view.attempts == 1 && third.view.errorCode == "HTTP_503")
            let text = "the service answered with status 503 and Retry-After"
            #expect(try #require(third.errors).contains("\"\(text), for 24 hours\""))
            // As the service has asked for.
            let wait = try #require(third.view.dueAt).timeIntervalSince(third.readAt)
            #expect((500...601).contains(wait))
            // The next attempt has a day of its own.
            let fourth = try run(4, endsAs: .scheduled)
            #expect(fourth.view.attempts == 1)
            try scene.tasks.age(bySeconds: 86_400)
            let last = try run(5, endsAs: .failed)
            #expect(last.view.attempts == 2 && last.view.errorCode == "HTTP_503")
            #expect(stub.requests.count == 5)
        }

        /// Fault: answers of one day long ago count for those of today, or each begins a day anew.
        @Test func onlyAnswersInARowCountTogether() throws {
            let scene = try TaskScene()
            let id = try scene.begin()
            var run = 1
            /// - Returns: seconds for which the next run's attempt has been put off.
            func end(_ outcome: RunOutcome) throws -> Double? {
                _ = try scene.store.finish(id, run: run, as: outcome)
                try scene.age(bySeconds: 100)
                try scene.sql("UPDATE amity_tasks SET state = 3, due_at = NULL")
                run += 1
                return try scene.claim(id, run: run).putOff
            }
            #expect(try end(putOff()).map { Int($0) / 100 } == 1)
            #expect(try end(putOff("HTTP_503")).map { Int($0) / 100 } == 2)
            // What is no answer changes nothing, nor does a drain.
            #expect(try end(.snoozed(seconds: 1)).map { Int($0) / 100 } == 3)
            _ = try scene.store.giveBack(id, run: run, worker: TaskScene.worker)
            run += 1
            try scene.sql("UPDATE amity_tasks SET due_at = NULL")
            #expect(try scene.claim(id, run: run).putOff.map { Int($0) / 100 } == 3)
            let failure = RunOutcome.failed(code: "E", message: "", retries: true)
            #expect(try end(failure) == nil)
            #expect(try end(putOff()).map { Int($0) / 100 } == 1)
            let codes = try scene.sql(
                """
                SELECT jsonb_path_query_array(errors, '$[*].code')::text FROM amity_task_data
                """
            )
            #expect(codes.string(0, 0) == #"["HTTP_503", "E", "HTTP_429"]"#)
        }

        /// Fault: a task that is tried again by hand after days fails at the first "later".
        @Test func aRetryByHandBeginsAnew() throws {
            let scene = try TaskScene()
            let id = try scene.begin()
            let failure = RunOutcome.failed(code: "E", message: "", retries: true)
            _ = try scene.store.finish(id, run: 1, as: failure)
            try scene.sql("UPDATE amity_tasks SET state = 3, due_at = NULL")
            try scene.claim(id, run: 2)
            _ = try scene.store.finish(id, run: 2, as: putOff())
            #expect(try scene.store.get(id)?.view.errorCode == "HTTP_429")
            _ = try scene.store.cancel(id)
            _ = try scene.store.retry(id)
            #expect(try scene.claim(id, run: 4).putOff == nil)
            #expect(try scene.store.get(id)?.view.errorCode == "E")
        }

        /// Fault: who cancels a run is told that a service's answer was the cause.
        @Test func aCancelledRunKeepsNoAnswer() throws {
            let scene = try TaskScene()
            let id = try scene.begin()
            _ = try scene.store.cancel(id)
            #expect(try scene.store.finish(id, run: 1, as: putOff())?.state == .cancelled)
            #expect(try scene.store.get(id)?.view.errorCode == nil)
        }
    }
}

extension TaskScene {
    /// Has what has put tasks off begun earlier.
    fileprivate func age(bySeconds seconds: Int) throws {
        try sql(
            """
            UPDATE amity_task_data SET errors = jsonb_set(errors, '{-1,since}', to_jsonb(
                (errors -> -1 ->> 'since')::timestamptz - make_interval(secs => $1::int)))
            WHERE errors -> -1 ? 'since'
            """,
            .integer(seconds)
        )
    }
}
