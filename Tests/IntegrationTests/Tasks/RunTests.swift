import Digests
import Foundation
import Postgres
import Testing

@testable import Tasks

extension Integration {
    struct RunTests {
        // MARK: One life

        @Test func aTaskIsClaimedReportsAndCompletes() throws {
            let scene = try TaskScene()
            let id = try scene.submit { $0.payload = #"{"a": 1}"# }
            let task = try scene.claim(id, run: 1)
            #expect(task.payload == #"{"a": 1}"# && task.attempt == 1 && task.timeout == 300)
            let own = try scene.store.ownRuns(of: TaskScene.worker)
            #expect(own == [OwnRun(id: id, run: 1, isCancelAsked: false)])
            let progress = [
                RunProgress(id: id, run: 1, percent: 65, note: "half\0way"),
                RunProgress(id: TaskID(firstAt: 1), run: 1, percent: 1, note: nil),
            ]
            #expect(try scene.store.write(progress) == [id])
            #expect(try scene.store.get(id)?.view.percent == 65)
            let moved = try scene.store.finish(id, run: 1, as: .succeeded(result: #"{"b": 2}"#))
            #expect(moved?.state == .completed)
            let detail = try #require(try scene.store.get(id))
            #expect(detail.result == #"{"b": 2}"# && detail.note == "half\u{FFFD}way")
            #expect(detail.view.finishedAt != nil && detail.view.dueAt == nil)
            #expect(try scene.store.get(id, kbID: "another") == nil)
        }

        @Test func failuresAreListedAndTheLastEndsTheTask() throws {
            let scene = try TaskScene()
            let id = try scene.begin { $0.retryLimit = 1 }
            let failure = RunOutcome.failed(code: "E1", message: "m1", retries: true)
            #expect(try scene.store.finish(id, run: 1, as: failure)?.state == .scheduled)
            // At random up to a second.
            let wait = try scene.sql(
                """
                SELECT extract(epoch FROM due_at - clock_timestamp())::float8 FROM amity_tasks
                """
            )
            #expect((-1...1).contains(try #require(wait.double(0, 0))))
            try scene.sql("UPDATE amity_tasks SET due_at = now()")
            var floor = ScanFloor()
            let due = try scene.store.leaseDue(&floor, budgets: [9, 9, 9, 9], at: 0)
            #expect(due.toPublish.map(\.run) == [2])
            try scene.claim(id, run: 2)
            let last = RunOutcome.failed(code: "E2", message: "m2", retries: true)
            #expect(try scene.store.finish(id, run: 2, as: last)?.state == .failed)
            let detail = try #require(try scene.store.get(id))
            #expect(detail.view.errorCode == "E2" && detail.view.attempt == 2)
            let errors = try #require(detail.errors)
            #expect(errors.contains("E1") && errors.contains("m2"))
        }

        /// Fault: an answer that PostgreSQL does not take leaves its task processing for ever.
        @Test func aResultThatCannotBeStoredFailsItsTask() throws {
            let scene = try TaskScene()
            let large = "\"\(String(repeating: "x", count: 64 << 10))\""
            for (result, code) in [
                (large, "RESULT_TOO_LARGE"), (#""\u0000""#, "RESULT_REFUSED"),
                ("{", "RESULT_REFUSED"),
            ] {
                let id = try scene.begin()
                let moved = try scene.store.finish(id, run: 1, as: .succeeded(result: result))
                #expect(moved?.state == .failed)
                let detail = try #require(try scene.store.get(id))
                #expect(detail.view.errorCode == code)
                #expect(detail.errors?.contains("the result") ?? false)
            }
        }

        // MARK: Effects of a handler's own

        /// Fault: a worker that was taken for lost comes back, and its effect happens twice.
        @Test func aHandlersOwnStatementsTakeEffectWithTheEndOrNotAtAll() throws {
            let scene = try TaskScene()
            try scene.sql("CREATE TABLE effects (run integer)")
            try scene.sql("GRANT INSERT ON effects TO \(scene.scene.name)")
            let effect = Statement("test_effect", "INSERT INTO effects VALUES ($1::int)")
            let id = try scene.begin()
            #expect(try scene.store.giveBackLost().count == 1)
            try scene.claim(id, run: 2, worker: TaskScene.otherWorker)
            for run in [1, 2, 2] {
                _ = try scene.store.finish(
                    id,
                    run: run,
                    as: .succeeded(result: nil),
                    with: [(effect, [.integer(run)])]
                )
            }
            let effects = try scene.sql("SELECT string_agg(run::text, ' ') FROM effects")
            #expect(effects.string(0, 0) == "2")
            // One that fails takes the end back with it.
            let other = try scene.begin()
            let wrong = Statement("test_wrong", "INSERT INTO effects SELECT 1 / 0")
            #expect(throws: PostgresError.self) {
                try scene.store.finish(
                    other,
                    run: 1,
                    as: .succeeded(result: "1"),
                    with: [(wrong, [])]
                )
            }
            #expect(try scene.state(other) == .processing)
        }

        /// Fault: the answer to the COMMIT is lost, and the worker takes its own end for another's.
        @Test func anEndWhoseAnswerWasLostIsKnownAgain() throws {
            let scene = try TaskScene()
            let id = try scene.begin()
            #expect(try scene.store.lastState(of: id, run: 1) == nil)
            let proxy = try Proxy(to: Servers.workersDatabasePort())
            let store = try scene.store(through: proxy)
            _ = try store.ownRuns(of: TaskScene.worker)
            proxy.cut(afterBytesToClient: 10)
            #expect(throws: PostgresError.self) {
                try store.finish(id, run: 1, as: .succeeded(result: nil))
            }
            try eventually("it is committed") {
                try scene.store.lastState(of: id, run: 1) == .completed
            }
            #expect(try store.finish(id, run: 1, as: .succeeded(result: nil)) == nil)
            #expect(try scene.store.lastState(of: id, run: 2) == nil)
        }

        // MARK: Suspects

        @Test func aSuspectBeginsOnlyAlone() throws {
            let scene = try TaskScene()
            let id = try scene.begin()
            #expect(try scene.store.giveBackLost().map(\.run) == [2])
            func claim(alone: Bool) throws -> ClaimOutcome {
                let claim = TaskClaim(id: id, run: 2, worker: TaskScene.worker)
                return try scene.store.claim(claim, mayRunAlone: alone)
            }
            guard case .suspect = try claim(alone: false) else {
                Issue.record("no suspect")
                return
            }
            guard case .claimed(let task) = try claim(alone: true) else {
                Issue.record("not claimed")
                return
            }
            #expect(task.isSuspect)
            guard case .outdated = try claim(alone: false) else {
                Issue.record("claimed twice")
                return
            }
        }

        // MARK: Runs that a service reports on

        @Test func aRunThatWasHandedOverBelongsToItsToken() throws {
            let scene = try TaskScene()
            let id = try scene.submit()
            let token = RunToken(run: 1)
            _ = try scene.store.claim(
                TaskClaim(id: id, run: 1, worker: TaskScene.worker, token: token),
                mayRunAlone: true
            )
            _ = try scene.store.handOver(id, run: 1, worker: TaskScene.worker, timeout: 60)
            // No worker has it that could be lost.
            #expect(try scene.store.giveBackLost().isEmpty)
            #expect(
                try scene.store.holder(of: token, task: id)
                    == RunTokenHolder(
                        state: .processing,
                        run: 1,
                        isHandedOver: true,
                        isCancelAsked: false
                    )
            )
            #expect(try scene.store.holder(of: RunToken(run: 1), task: id) == nil)
            #expect(try scene.store.reportProgress(id, run: 1, percent: 50, note: "n"))
            try scene.sql("UPDATE amity_tasks SET due_at = now() - interval '1 second'")
            #expect(try scene.store.timeOut(atMost: 9).map(\.state) == [.scheduled])
            #expect(try scene.store.get(id)?.view.errorCode == "TIMEOUT")
            #expect(try !scene.store.reportProgress(id, run: 1, percent: 60, note: nil))
            // What is stored of a token opens nothing.
            let stored = try scene.sql("SELECT encode(run_token, 'hex') FROM amity_task_data")
            #expect(stored.string(0, 0) == token.digest.hexadecimal)
        }

        // MARK: Leases and retention

        @Test func oneLeads() throws {
            let scene = try TaskScene()
            let (one, other) = (TaskScene.worker, TaskScene.otherWorker)
            #expect(try scene.store.renewLeader(one))
            #expect(try !scene.store.renewLeader(other))
            #expect(try scene.store.renewLeader(one))
            try scene.store.releaseLeader(other)
            #expect(try !scene.store.renewLeader(other))
            try scene.sql("UPDATE amity_leases SET lease_until = now() - interval '1 ms'")
            #expect(try scene.store.renewLeader(other))
            #expect(try !scene.store.renewLeader(one))
        }

        @Test func whatEndedLongAgoGoesInSlices() throws {
            let scene = try TaskScene()
            let ended = try (0..<5).map { _ in try scene.begin() }
            for id in ended { _ = try scene.store.finish(id, run: 1, as: .stopped) }
            let living = try scene.begin()
            try scene.sql("UPDATE amity_tasks SET finished_at = finished_at - interval '8 days'")
            let week = 7.0 * 86_400
            let slices = try (0..<3).map { _ in
                try scene.store.forget(olderThan: week, atMost: 3)
            }
            #expect(slices == [3, 2, 0])
            let left = try scene.sql("SELECT count(*), min(id::text) FROM amity_task_data")
            #expect(left.integer(0, 0) == 1 && left.string(0, 1) == living.text)
        }

        // MARK: Races

        /// Two sessions do something to the same tasks at once: each task ends as if one had come
        /// first, and no write lands that the other has fenced off.
        @Test(arguments: ["claim", "cancel", "lost", "finish"])
        func whicheverCommitsFirst(race: String) async throws {
            let scene = try TaskScene()
            let store = scene.store
            let requests = (0..<60).map { _ in SubmitRequest([TaskScene.task()]) }
            let ids = try store.submit(requests).map { outcome in
                guard case .accepted(let made, _) = try outcome.get() else {
                    throw TaskScene.Refused()
                }
                return made.tasks[0].id
            }
            if race != "claim" { for id in ids { try scene.claim(id, run: 1) } }
            let wins = try await withThrowingTaskGroup(of: [Bool].self) { group in
                for side in 0..<2 {
                    group.addTask {
                        try ids.map { try Self.move($0, in: race, side: side, of: store) }
                    }
                }
                return try await group.reduce(into: [[Bool]]()) { $0.append($1) }
            }
            let doubled = zip(wins[0], wins[1]).count { $0 && $1 }
            switch race {
            case "claim", "finish": #expect(doubled == 0)
            case _: break
            }
            let states = try scene.sql(
                """
                SELECT count(*) FILTER (WHERE state = 4), count(*) FILTER (WHERE state >= 5),
                    count(*) FILTER (WHERE state = 3 AND run = 2),
                    count(*) FILTER (WHERE (state = 5) IS DISTINCT FROM (result IS NOT NULL))
                FROM amity_tasks JOIN amity_task_data USING (id)
                """
            )
            let (processing, final) = (states.integer(0, 0), states.integer(0, 1))
            switch race {
            case "claim": #expect(processing == 60)
            case "lost": #expect((final ?? 0) + (states.integer(0, 2) ?? 0) == 60)
            case _: #expect(final == 60)
            }
            #expect(states.integer(0, 3) == 0)
        }

        private static func move(
            _ id: TaskID,
            in race: String,
            side: Int,
            of store: TaskStore
        ) throws -> Bool {
            let outcome = RunOutcome.succeeded(result: "1")
            switch (race, side) {
            case ("claim", _):
                let worker = side == 0 ? TaskScene.worker : TaskScene.otherWorker
                let claim = TaskClaim(id: id, run: 1, worker: worker)
                guard case .claimed = try store.claim(claim, mayRunAlone: true)
                else { return false }
                return true
            case ("cancel", 0):
                _ = try store.cancel(id)
                // Its worker stops as it is told to, if it has not ended.
                return try store.finish(id, run: 1, as: .stopped) != nil
            case ("lost", 0): return try !store.giveBackLost().isEmpty
            case ("finish", 0):
                let failure = RunOutcome.failed(code: "E", message: "", retries: false)
                return try store.finish(id, run: 1, as: failure) != nil
            case _: return try store.finish(id, run: 1, as: outcome) != nil
            }
        }
    }
}
