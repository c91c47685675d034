import Concurrency
import Foundation
import TaskRunning
import Testing

@testable import Tasks

extension Integration {
    /// A client cancels a task while something else happens to its run.
    struct TaskRaceTests {
        enum Rival: CaseIterable { case failure, loss }

        /// Fault: a task that was cancelled at the moment of its failure, or of its worker's loss,
        /// runs again, never ends, or ends twice.
        @Test(arguments: Rival.allCases)
        func aTaskThatIsCancelledMeanwhileNeverRunsAgain(rival: Rival) async throws {
            let scene = try TaskScene()
            let store = scene.store
            var all: [TaskID] = []
            for round in 0..<40 {
                // No worker of that name has a lease.
                let ids = try (0..<5).map { _ in
                    try scene.begin { $0.callback = CallbackTests.callback }
                }
                all += ids
                // In step, and from both ends, so that each comes first with some.
                let order = round % 2 == 0 ? ids : ids.reversed()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { for id in ids { _ = try store.cancel(id) } }
                    group.addTask { try Self.end(order, by: rival, store) }
                    try await group.waitForAll()
                }
                // What a cancellation had locked is left to the next turn.
                if rival == .loss { _ = try store.giveBackLost() }
            }
            let states = try scene.sql(
                """
                SELECT count(*) FILTER (WHERE state = 7 AND due_at IS NULL
                        AND cancel_at IS NOT NULL AND finished_at IS NOT NULL
                        AND attempts = \(rival == .failure ? 1 : 0)),
                    count(*) FILTER (WHERE run = 1), count(*) FILTER (WHERE run = 2)
                FROM amity_tasks WHERE type = 'test'
                """
            )
            #expect(states.integer(0, 0) == all.count)
            #expect(states.integer(0, 1).map { $0 > 0 } == true, "no cancellation was first")
            #expect(states.integer(0, 2).map { $0 > 0 } == true, "none was second")
            let ends = "SELECT FROM amity_tasks WHERE type = 'amity.callback'"
            #expect(try scene.sql(ends).count == all.count)
            for id in all {
                for run in 1...2 {
                    #expect(throws: TaskScene.Refused.self) { try scene.claim(id, run: run) }
                }
            }
        }

        private static func end(_ ids: [TaskID], by rival: Rival, _ store: TaskStore) throws {
            switch rival {
            case .failure:
                let failure = RunOutcome.failed(code: "E", message: "", retries: true)
                for id in ids { _ = try store.finish(id, run: 1, as: failure) }
            case .loss: _ = try store.giveBackLost()
            }
        }

        /// Fault: the same with a worker and a scheduler, which has the next run of what fails on
        /// its way when the cancellation comes.
        @Test func aTaskThatFailsAgainAndAgainEndsWithItsCancellation() throws {
            let scene = try TaskWorkerScene()
            let process = try SchedulingScene.process(scene.tasks.scene.variables)
            defer { process.stop() }
            // About as long as it waits for its next run: some cancellations find it running.
            let handler = TestHandler { _, _ in
                usleep(150_000)
                return .failed(code: "E", message: "", retries: true, after: 0)
            }
            let last = TestHandler { _, _ in .completed(result: nil) }
            try scene.start(threads: 30, handlers: ["test": handler, "last": last])
            let ids = try scene.submit(30) { $0.retryLimit = 100 }
            func runs(_ id: TaskID) -> Int {
                handler.begun.withLock { $0.count { $0.id == id } }
            }
            var runsAtEnd: [TaskID: Int] = [:]
            for id in ids {
                try eventually("it has failed before") { runs(id) > 1 }
                guard case .moved(let task) = try scene.store.cancel(id) else {
                    Issue.record("it has ended by itself")
                    continue
                }
                // What does not run now has begun all its runs.
                if task.state == .cancelled { runsAtEnd[id] = runs(id) }
            }
            for id in ids { try scene.wait(for: id, toBe: .cancelled) }
            // What was on its way when they ended has come before it.
            try scene.wait(for: try scene.submit(type: "last")[0], toBe: .completed)
            try eventually("nothing is left") { try scene.queue().isDrained() }
            for id in ids {
                let view = try scene.view(id)
                #expect(runs(id) == runsAtEnd[id] ?? view.run)
                #expect(view.attempts < 100 && view.dueAt == nil)
            }
        }
    }
}
