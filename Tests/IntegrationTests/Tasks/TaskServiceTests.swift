import Concurrency
import HTTPServing
import Postgres
import TestSupport
import Testing

@testable import Settings
@testable import TaskAPI
@testable import Tasks

extension Integration {
    struct TaskServices {
        private final class Outlet: TaskOutlet {
            let calls = Locked<[[Publication]]>([])

            func publish(_ publications: [Publication], leasedAt: ContinuousClock.Instant) {
                calls.withLock { $0.append(publications) }
            }
        }

        private func submit(
            _ requests: [SubmitRequest],
            to service: TaskService
        ) async -> [Result<Submission, Problem>] {
            await withTaskGroup(of: (Int, Result<Submission, Problem>).self) { group in
                for (number, request) in requests.enumerated() {
                    group.addTask {
                        do throws(Problem) {
                            return (number, .success(try await service.submit(request)))
                        } catch {
                            return (number, .failure(error))
                        }
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }.sorted { $0.0 < $1.0 }
                    .map(\.1)
            }
        }

        private func run(
            _ body: (TaskService, TaskScene, Outlet) async throws -> Void
        ) async throws {
            let scene = try TaskScene()
            let outlet = Outlet()
            let service = TaskService(
                database: scene.scene.settings.database,
                outlet: outlet,
                logger: quiet
            ) { _ in }
            service.start()
            try await body(service, scene, outlet)
            await onThread(named: "stop", stackBytes: 512 << 10) { service.stop() }
        }

        /// Fault: a task waits five seconds for the scheduler, or is published before its commit.
        @Test func whatIsCommittedIsGivenToTheOutlet() async throws {
            try await run { service, scene, outlet in
                var delayed = TaskScene.task()
                delayed.delay = 60
                let requests = [
                    SubmitRequest([TaskScene.task()]), SubmitRequest([delayed]),
                    SubmitRequest([TaskScene.task(), TaskScene.task()]),
                ]
                var made: [SubmittedTask] = []
                for request in requests { made += try await service.submit(request).tasks }
                try eventually("all are published") {
                    outlet.calls.withLock { $0.joined().count } == 3
                }
                let published = outlet.calls.withLock { Array($0.joined()) }
                #expect(published.map(\.id) == made.filter { $0.status == "queued" }.map(\.id))
                try scene.store.published(published)
                let leased = try scene.sql(
                    "SELECT count(*) FROM amity_tasks WHERE state = 3 AND due_at IS NOT NULL"
                )
                #expect(leased.integer(0, 0) == 0, "the leases are those of the rows")
            }
        }

        /// Fault: each request waits for a commit of its own.
        @Test func requestsThatComeTogetherShareACommit() async throws {
            try await run { service, scene, outlet in
                let requests = (0..<300).map { _ in SubmitRequest([TaskScene.task()]) }
                let results = await submit(requests, to: service)
                for result in results { _ = try result.get() }
                // The answer does not wait for the publisher.
                try eventually("all are published") {
                    outlet.calls.withLock { $0.joined().count } == 300
                }
                let groups = outlet.calls.withLock { $0.map(\.count) }
                #expect(groups.count < 100 && groups.allSatisfy { $0 <= 50 }, "\(groups)")
                let rows = try scene.sql(
                    "SELECT count(*), count(DISTINCT xmin::text) FROM amity_tasks"
                )
                #expect(rows.integer(0, 0) == 300 && rows.integer(0, 1) == groups.count)
            }
        }

        /// Fault: one client's request takes those beside it with it.
        @Test func whatTheDatabaseRefusesIsRefusedAlone() async throws {
            try await run { service, scene, _ in
                try scene.sql("ALTER TABLE amity_tasks ADD CHECK (kb_id <> 'odd')")
                let requests = (0..<40).map { number in
                    SubmitRequest([TaskScene.task { $0.kbID = number == 7 ? "odd" : "kb" }])
                }
                let results = await submit(requests, to: service)
                for (number, result) in results.enumerated() {
                    switch result {
                    case .success: #expect(number != 7)
                    case .failure(let problem):
                        #expect(number == 7 && problem.code == "refused")
                        #expect(problem.status == .unprocessableContent)
                    }
                }
            }
        }

        /// Fault: a database that hangs holds up every request that needs what is known already.
        @Test func whatIsKnownIsTakenWhileOneReadsItAgain() async throws {
            let remembered = Remembered<Int>(for: .zero)
            let (isReading, mayEnd) = (
                AsyncStream<Void>.makeStream(), AsyncStream<Void>.makeStream()
            )
            #expect(try await remembered.get { 1 } == 1)
            async let slow = remembered.get {
                isReading.continuation.finish()
                for await _ in mayEnd.stream {}
                return 2
            }
            for await _ in isReading.stream {}
            #expect(try await remembered.get { 3 } == 1)
            mayEnd.continuation.finish()
            #expect(try await slow == 2)
            #expect(remembered.last == 2)
            await #expect(throws: CancellationError.self) {
                _ = try await remembered.get { throw CancellationError() }
            }
            #expect(try await remembered.get { 4 } == 4, "after a failure it is read again")
        }
    }
}
