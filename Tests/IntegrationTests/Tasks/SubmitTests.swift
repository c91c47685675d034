import Digests
import Dispatch
import Foundation
import Postgres
import Testing

@testable import Tasks

extension Integration {
    struct SubmitTests {
        private static func request(
            _ tasks: [NewTask] = [TaskScene.task()],
            key: String? = nil,
            body: String = "body",
            token: Int = 0
        ) -> SubmitRequest {
            var request = SubmitRequest(tasks)
            request.token = token
            request.key = key
            request.digest = Digest.sha256(Array(body.utf8))
            return request
        }

        private func submission(
            _ outcome: Result<SubmitOutcome, PostgresError>
        ) throws -> (Submission, [Publication]) {
            guard case .accepted(let submission, let publications) = try outcome.get() else {
                throw TaskScene.Refused()
            }
            return (submission, publications)
        }

        // MARK: Groups

        @Test func aGroupIsMadeInItsOrderAndQueuedWithALease() throws {
            let scene = try TaskScene()
            let requests = (0..<50).map { Self.request([TaskScene.task("t\($0 % 3)")]) }
            let made = try scene.store.submit(requests).map { try submission($0) }
            let ids = made.flatMap { $0.0.tasks.map(\.id) }
            #expect(ids.count == 50 && ids.map(\.text) == ids.map(\.text).sorted())
            for (number, (submission, publications)) in made.enumerated() {
                #expect(submission.tasks[0].status == "queued")
                let publication = try #require(publications.first)
                #expect(publication.type == "t\(number % 3)" && publication.run == 1)
                #expect(publication.id == submission.tasks[0].id)
            }
            let leased = """
                SELECT count(*) FROM amity_tasks JOIN amity_task_data USING (id)
                WHERE due_at BETWEEN created_at + interval '4 s' AND created_at + interval '5 s'
                """
            #expect(try scene.sql(leased).integer(0, 0) == 50)
            // A confirm sets those to rest whose lease it was.
            var publications = made.flatMap(\.1)
            for index in 0..<10 { publications[index].lease = "2026-01-01T00:00:00Z" }
            try scene.store.published(publications)
            #expect(try scene.sql(leased).integer(0, 0) == 10)
        }

        /// Fault: one payload that jsonb refuses fails the requests that came with it; or its text
        /// is in an error.
        @Test func whatCannotBeStoredFailsAlone() throws {
            let scene = try TaskScene()
            let private_ = #"{"secret": "PRIVATE \u0000"}"#
            let requests = [
                Self.request(), Self.request([TaskScene.task(payload: private_)]),
                Self.request(key: "k"),
            ]
            let outcomes = try scene.store.submit(requests)
            #expect(try submission(outcomes[0]).0.tasks.count == 1)
            #expect(try submission(outcomes[2]).0.tasks.count == 1)
            guard case .failure(let error) = outcomes[1] else {
                Issue.record("taken")
                return
            }
            #expect(error.kind == .permanent && !"\(error)".contains("PRIVATE"))
            #expect(try scene.sql("SELECT count(*) FROM amity_tasks").integer(0, 0) == 2)
        }

        @Test func timesAreTheDatabases() throws {
            let scene = try TaskScene()
            let delayed = try scene.submit { $0.delay = 60 }
            let past = try scene.submit { $0.runAt = "2020-01-01T00:00:00Z" }
            let bounded = try scene.submit {
                $0.runAt = "2999-01-01T00:00:00Z"
                $0.deadline = "2998-01-01T00:00:00Z"
            }
            #expect(try scene.state(delayed) == .scheduled)
            #expect(try scene.state(past) == .queued)
            let view = try #require(try scene.store.get(bounded)?.view)
            #expect(view.state == .scheduled && view.dueAt == view.deadline)
            let seconds = try scene.sql(
                """
                SELECT extract(epoch FROM due_at - created_at)::float8 FROM amity_tasks
                WHERE id = $1
                """,
                .text(delayed.text)
            )
            #expect(abs(try #require(seconds.double(0, 0)) - 60) < 0.1)
        }

        // MARK: Keys of idempotency

        /// Three clients send the same request at once, as one whose answer was cut off does: one
        /// task, one answer.
        @Test func repetitionsAtOnceMakeOneTask() async throws {
            let scene = try TaskScene()
            for round in 0..<10 {
                let request = Self.request(key: "round \(round)")
                let store = scene.store
                let answers = try await withThrowingTaskGroup(of: Submission?.self) { group in
                    for _ in 0..<3 {
                        group.addTask {
                            guard case .accepted(let one, _) = try store.submit([request])[0].get()
                            else { return nil }
                            return one
                        }
                    }
                    return try await group.reduce(into: [Submission?]()) { $0.append($1) }
                }
                #expect(answers.count == 3 && answers[0] != nil)
                #expect(answers.allSatisfy { $0 == answers[0] })
            }
            #expect(try scene.sql("SELECT count(*) FROM amity_tasks").integer(0, 0) == 10)
        }

        @Test func aKeyIsATokensOwnAndForOneBody() throws {
            let scene = try TaskScene()
            let requests = [
                Self.request(key: "k"), Self.request(key: "k"), Self.request(key: "k", token: 1),
                Self.request(key: "k", body: "another"),
            ]
            for _ in 0..<2 {
                let outcomes = try scene.store.submit(requests)
                let first = try submission(outcomes[0]).0
                #expect(try submission(outcomes[1]).0 == first)
                #expect(try submission(outcomes[2]).0 != first)
                guard case .success(.keyConflict) = outcomes[3] else {
                    Issue.record("another body was taken")
                    return
                }
            }
            #expect(try scene.sql("SELECT count(*) FROM amity_tasks").integer(0, 0) == 2)
            // A repetition publishes nothing again: the row guards that.
            #expect(try submission(scene.store.submit([requests[0]])[0]).1.isEmpty)
        }

        /// The connection ends in the middle of some answer, before or after the COMMIT: the client
        /// asks again, and its tasks are there once.
        @Test(arguments: [1, 3])
        func aRequestWhoseAnswerWasLostIsDoneOnce(tasks: Int) throws {
            func request(_ key: Int) -> SubmitRequest {
                let entries = Array(repeating: TaskScene.task(), count: tasks)
                return Self.request(entries, key: "\(key)")
            }

            let scene = try TaskScene()
            let proxy = try Proxy(to: Servers.workersDatabasePort())
            let store = try scene.store(through: proxy)
            _ = try store.submit([request(0)])
            var (lost, made, count) = (0, 0, 1)
            for bytes in stride(from: 1, to: 2_000, by: 19) {
                let request = request(bytes)
                proxy.cut(afterBytesToClient: bytes)
                do throws(PostgresError) {
                    _ = try store.submit([request])
                } catch {
                    #expect(error.endsSession)
                    lost += 1
                }
                proxy.endFaults()
                // What was made before is answered, and not published again.
                let again = try submission(scene.store.submit([request])[0])
                if again.1.isEmpty { made += 1 }
                count += 1
            }
            // Some were lost before the COMMIT, and some after it.
            let lostAfterwards = made - (count - 1 - lost)
            #expect(lost > lostAfterwards && lostAfterwards > 0, "\(lost) \(lostAfterwards)")
            #expect(
                try scene.sql("SELECT count(*) FROM amity_tasks").integer(0, 0) == count * tasks
            )
        }

        @Test func anAnswerExpiresAfterADay() throws {
            let scene = try TaskScene()
            let first = try submission(scene.store.submit([Self.request(key: "k")])[0]).0
            try scene.sql("UPDATE amity_requests SET created_at = now() - interval '25 hours'")
            let second = try submission(
                scene.store.submit([Self.request(key: "k", body: "another")])[0]
            ).0
            #expect(first != second)
            try scene.sql("UPDATE amity_requests SET created_at = now() - interval '25 hours'")
            #expect(try scene.store.forgetRequests(atMost: 10) == 1)
        }

        // MARK: Unique keys

        @Test func aLivingTwinIsTheAnswer() throws {
            let scene = try TaskScene()
            func unique(_ kb: String? = nil, _ type: String = "t") -> SubmitRequest {
                Self.request([
                    TaskScene.task(type) {
                        $0.uniqueKey = "u"
                        $0.kbID = kb
                    }
                ])
            }
            // Three in one group.
            let requests = [unique(), unique(), unique("kb"), unique(nil, "other"), unique()]
            let made = try scene.store.submit(requests).map { try submission($0).0.tasks[0] }
            #expect(made.map(\.isDuplicate) == [false, true, false, false, true])
            #expect(made[1].id == made[0].id && made[4].id == made[0].id)
            let again = try submission(scene.store.submit([unique()])[0])
            #expect(again.0.tasks[0].id == made[0].id && again.1.isEmpty)
            // It ended: the next one is new.
            #expect(try scene.store.cancel(made[0].id) != .missing)
            let next = try submission(scene.store.submit([unique()])[0]).0.tasks[0]
            #expect(!next.isDuplicate && next.id != made[0].id)
            #expect(try scene.store.retry(made[0].id) == .twinLives)
        }

        /// Sessions that make the same unique tasks at once, in other orders, while those end.
        @Test func aUniqueKeyHasOneLivingTaskWhateverRaces() async throws {
            let scene = try TaskScene()
            let store = scene.store
            try await withThrowingTaskGroup(of: Void.self) { group in
                for session in 0..<4 {
                    group.addTask {
                        for round in 0..<30 {
                            let keys = (0..<8).map { "\(($0 * 3 + session + round) % 8)" }
                            let requests = keys.map { key in
                                Self.request([TaskScene.task { $0.uniqueKey = key }])
                            }
                            for outcome in try store.submit(requests) {
                                guard case .accepted(let made, _) = try outcome.get() else {
                                    throw TaskScene.Refused()
                                }
                                if round % 3 == session % 3 {
                                    _ = try store.cancel(made.tasks[0].id)
                                }
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            let living = try scene.sql(
                "SELECT count(*), count(DISTINCT unique_key) FROM amity_tasks WHERE state < 5"
            )
            #expect(living.integer(0, 0) == living.integer(0, 1))
        }

        // MARK: Batches

        @Test func aBatchIsMadeAsAWholeOrNotAtAll() throws {
            let scene = try TaskScene()
            var batch = Self.request((0..<1_000).map { TaskScene.task("t\($0)") }, key: "b")
            batch.batch = .new()
            let (made, publications) = try submission(scene.store.submit([batch])[0])
            let id = try #require(made.batchID)
            #expect(made.tasks.count == 1_000 && publications.count == 1_000)
            let count = "SELECT count(*) FROM amity_tasks WHERE batch_id = $1::uuid"
            #expect(try scene.sql(count, .text(id.text)).integer(0, 0) == 1_000)
            #expect(try submission(scene.store.submit([batch])[0]).0 == made)
            batch.key = "c"
            batch.tasks[500].payload = #""\u0000""#
            guard case .failure = try scene.store.submit([batch])[0] else {
                Issue.record("taken")
                return
            }
            #expect(try scene.sql("SELECT count(*) FROM amity_tasks").integer(0, 0) == 1_000)
            // The key is free again.
            batch.tasks[500].payload = "1"
            #expect(try submission(scene.store.submit([batch])[0]).0.tasks.count == 1_000)
        }
    }
}
