import Concurrency
import Dispatch
import Foundation
import Postgres
import TestSupport
import Testing

@testable import Tasks

extension Integration {
    /// Tasks that wait for others.
    struct NeedsTests {
        private static func needing(_ ids: [TaskID], runs: Bool = false) -> (inout NewTask) -> Void
        {
            {
                $0.needs = ids.map(NewTask.Need.task)
                $0.runsOnFailedNeed = runs
            }
        }

        private func end(_ id: TaskID, as outcome: RunOutcome, in scene: TaskScene) throws {
            try scene.claim(id, run: 1)
            #expect(try scene.store.finish(id, run: 1, as: outcome) != nil)
        }

        private static let broken = RunOutcome.failed(code: "E", message: "", retries: false)

        /// Looks until there is nothing more to look at.
        @discardableResult
        private func settle(_ scene: TaskScene) throws -> [Publication] {
            var publications: [Publication] = []
            while true {
                let look = try scene.store.lookAtDependents(atMost: 1_000)
                publications += look.toPublish
                if look.count == 0 { return publications }
            }
        }

        @Test func aTaskWaitsForAllThatItNeeds() throws {
            let scene = try TaskScene()
            let (one, other) = (try scene.submit(), try scene.submit())
            let id = try scene.submit("test", Self.needing([one, other]))
            #expect(try scene.state(id) == .blocked)
            #expect(try settle(scene).isEmpty)
            try end(one, as: .succeeded(result: nil), in: scene)
            #expect(try settle(scene).isEmpty)
            #expect(try scene.state(id) == .blocked)
            try end(other, as: .succeeded(result: nil), in: scene)
            let publications = try settle(scene)
            #expect(publications.map(\.id) == [id])
            #expect(try scene.state(id) == .queued)
            try scene.store.published(publications)
            try scene.claim(id, run: 1)
            let needs = try scene.store.needs(of: id)
            #expect(needs.map(\.id) == [one, other] && needs.allSatisfy { $0.state == .completed })
        }

        /// Fault: what came too late for the end of what it needs waits for ever.
        @Test func whatHasEndedBeforeCountsAsItEnded() throws {
            let scene = try TaskScene()
            let (good, bad) = (try scene.submit(), try scene.submit())
            try end(good, as: .succeeded(result: nil), in: scene)
            try end(bad, as: Self.broken, in: scene)
            let runs = try scene.submit("test", Self.needing([good]))
            let cancelled = try scene.submit("test", Self.needing([good, bad]))
            let runsAnyway = try scene.submit("test", Self.needing([bad], runs: true))
            #expect(Set(try settle(scene).map(\.id)) == [runs, runsAnyway])
            #expect(try scene.state(cancelled) == .cancelled)
        }

        /// Fault: what needs a failed task waits for ever, or runs; or those behind it do.
        @Test func aFailureCancelsAllThatBuildsOnIt() throws {
            let scene = try TaskScene()
            let first = try scene.submit()
            var chain = [first]
            for _ in 0..<5 {
                chain.append(try scene.submit("test", Self.needing([chain[chain.count - 1]])))
            }
            let anyway = try scene.submit("test", Self.needing([chain[5]], runs: true))
            try end(first, as: Self.broken, in: scene)
            #expect(try settle(scene).map(\.id) == [anyway])
            for (position, id) in chain.dropFirst().enumerated() {
                let task = try #require(try scene.store.get(id))
                #expect(task.view.state == .cancelled && task.view.errorCode == "NEED_FAILED")
                #expect(task.errors?.contains(chain[position].text) == true)
            }
        }

        /// Fault: one of the ways in which a task ends wakes no one.
        @Test(arguments: 0..<11) func everyEndWakes(way: Int) throws {
            let scene = try TaskScene()
            let id = try scene.submit("test") {
                if way == 6 { $0.delay = 0.05 }
                if way == 6 { $0.deadline = "2026-01-01T00:00:00Z" }
                if way == 7 { $0.retryLimit = 0 }
            }
            let dependent = try scene.submit("test", Self.needing([id], runs: true))
            #expect(try settle(scene).isEmpty)
            let isRunning = ![4, 5, 6].contains(way)
            if isRunning { try scene.claim(id, run: 1) }
            let store = scene.store
            switch way {
            case 0: _ = try store.finish(id, run: 1, as: .succeeded(result: nil))
            case 1: _ = try store.finish(id, run: 1, as: Self.broken)
            case 2: _ = try store.finish(id, run: 1, as: .stopped)
            case 3:
                let own = Statement("own_of_a_test", "SELECT 1")
                _ = try store.finish(id, run: 1, as: .succeeded(result: nil), with: [(own, [])])
            case 4: _ = try store.cancel(id)
            case 5:
                var filter = TaskFilter()
                filter.state = .queued
                _ = try store.cancelAll(filter, isDry: false)
            case 6:
                try eventually("it is late") { try store.expire(atMost: 10).count == 1 }
            case 7:
                _ = try store.handOver(id, run: 1, worker: TaskScene.worker, timeout: 0)
                try eventually("it is silent") { try store.timeOut(atMost: 10).count == 1 }
            case 8:
                try scene.sql("UPDATE amity_tasks SET crashes = 3")
                _ = try store.giveBackLost()
            case 9:
                _ = try store.cancel(id)
                _ = try store.giveBack(id, run: 1, worker: TaskScene.worker)
            case _:
                _ = try store.cancel(id)
                _ = try store.handOver(id, run: 1, worker: TaskScene.worker, timeout: 9)
            }
            #expect(try scene.state(id)?.isFinal == true)
            #expect(try settle(scene).map(\.id) == [dependent])
        }

        /// Fault: a task that needs what is not there, or is another kb's, is made all the same.
        @Test func whatIsNeededMustBeThere() throws {
            let scene = try TaskScene()
            let (own, foreign) = (
                try scene.submit { $0.kbID = "own" }, try scene.submit { $0.kbID = "other" }
            )
            let gone = TaskID.random()
            var request = SubmitRequest([
                TaskScene.task(), TaskScene.task("test", Self.needing([own, foreign, gone])),
            ])
            (request.batch, request.kbScope, request.key) = (.new(), "own", "k")
            guard case .needsMissing(let missing) = try scene.store.submit([request])[0].get()
            else { throw TaskScene.Refused() }
            #expect(missing.map(\.entry) == [1, 1] && missing.map(\.need) == [1, 2])
            #expect(try scene.store.list(TaskFilter(), limit: 9).count == 2)
            // Its key is free for the same client's better request.
            request.tasks[1].needs = [.task(own)]
            request.digest = [1]
            guard case .accepted = try scene.store.submit([request])[0].get() else {
                throw TaskScene.Refused()
            }
        }

        /// Fault: in a batch a task waits for a later one, or for another than was named.
        @Test func tasksOfABatchMayNeedEachOther() throws {
            let scene = try TaskScene()
            var request = SubmitRequest([
                TaskScene.task("a"),
                TaskScene.task("b") { $0.needs = [.entry(0)] },
                TaskScene.task("c") { $0.needs = [.entry(0), .entry(1)] },
            ])
            request.batch = .new()
            guard
                case .accepted(let made, let toPublish) = try scene.store.submit([request])[0].get()
            else { throw TaskScene.Refused() }
            let ids = made.tasks.map(\.id)
            #expect(made.tasks.map(\.status) == ["queued", "blocked", "blocked"])
            #expect(toPublish.map(\.id) == [ids[0]])
            for position in 0..<2 {
                try end(ids[position], as: .succeeded(result: nil), in: scene)
                #expect(try settle(scene).map(\.id) == [ids[position + 1]])
            }
        }

        /// Fault: a task that lives already is needed by its unique key, ends while its dependent
        /// is made, and wakes no one.
        @Test func aTwinMayBeNeeded() throws {
            let scene = try TaskScene()
            let twin = try scene.begin { $0.uniqueKey = "u" }
            var request = SubmitRequest([
                TaskScene.task { $0.uniqueKey = "u" }, TaskScene.task { $0.needs = [.entry(0)] },
            ])
            request.batch = .new()
            guard case .accepted(let made, _) = try scene.store.submit([request])[0].get() else {
                throw TaskScene.Refused()
            }
            #expect(made.tasks[0].isDuplicate && made.tasks[0].id == twin)
            #expect(try settle(scene).isEmpty)
            _ = try scene.store.finish(twin, run: 1, as: .succeeded(result: nil))
            #expect(try settle(scene).map(\.id) == [made.tasks[1].id])
        }

        /// Fault: a task that waits for others cannot be cancelled, or outlives its deadline.
        @Test func whatWaitsCanBeCancelledAndIsLate() throws {
            let scene = try TaskScene()
            let need = try scene.submit()
            let cancelled = try scene.submit("test", Self.needing([need]))
            let late = try scene.submit {
                Self.needing([need])(&$0)
                $0.deadline = "2026-01-01T00:00:00Z"
            }
            _ = try scene.store.cancel(cancelled)
            #expect(try settle(scene).isEmpty)
            #expect(try scene.store.expire(atMost: 9).map(\.id) == [late])
            try end(need, as: .succeeded(result: nil), in: scene)
            #expect(try settle(scene).isEmpty)
        }

        /// Fault: a task ends while others that need it are being made: some wait for ever. Under
        /// one statement for lock and look, or without holding what is needed, some of these do.
        @Test func noEndIsMissedWhileDependentsAreMade() throws {
            let scene = try TaskScene(sessions: 12)
            let rounds = 60
            let made = Locked<[TaskID]>([])
            let failures = Locked<[String]>([])
            for _ in 0..<rounds {
                let needs = try (0..<4).map { _ in try scene.begin() }
                DispatchQueue.concurrentPerform(iterations: 8) { [store = scene.store] lane in
                    do {
                        if lane < 4 {
                            _ = try store.finish(
                                needs[lane],
                                run: 1,
                                as: .succeeded(result: nil)
                            )
                        } else if lane < 7 {
                            let task = TaskScene.task("test", Self.needing(needs))
                            let outcome = try store.submit([SubmitRequest([task])])[0].get()
                            if case .accepted(let submission, _) = outcome {
                                made.withLock { $0 += submission.tasks.map(\.id) }
                            }
                            _ = try store.lookAtDependents(atMost: 100)
                        } else {
                            _ = try store.lookAtDependents(atMost: 100)
                        }
                    } catch {
                        failures.withLock { $0.append("\(error)") }
                    }
                }
            }
            #expect(failures.withLock(\.self) == [])
            _ = try settle(scene)
            let ids = made.withLock(\.self)
            #expect(ids.count == rounds * 3)
            let waiting = try ids.filter { try scene.state($0) == .blocked }
            #expect(waiting.isEmpty)
            #expect(try scene.store.findLostWakes(atMost: 1_000) == 0)
        }

        /// Fault: what waits although it need not waits for ever, and no figure tells.
        @Test func aLostWakeIsFound() throws {
            let scene = try TaskScene()
            let need = try scene.submit()
            let id = try scene.submit("test", Self.needing([need]))
            let other = try scene.submit("test", Self.needing([try scene.submit()]))
            #expect(try settle(scene).isEmpty)
            try scene.sql("UPDATE amity_tasks SET state = 5 WHERE id = $1::uuid", .text(need.text))
            #expect(try scene.store.findLostWakes(atMost: 9) == 1)
            #expect(try settle(scene).map(\.id) == [id])
            #expect(try scene.state(other) == .blocked)
            #expect(try scene.store.findLostWakes(atMost: 9) == 0)
        }

        /// Fault: a result that another task waits for is forgotten.
        @Test func whatIsNeededIsKept() throws {
            let scene = try TaskScene()
            let (need, open) = (try scene.submit(), try scene.submit())
            let id = try scene.submit("test", Self.needing([need, open]))
            try end(need, as: .succeeded(result: nil), in: scene)
            try scene.sql("UPDATE amity_tasks SET finished_at = finished_at - interval '9 days'")
            #expect(try scene.store.forget(olderThan: 60, atMost: 9) == 0)
            _ = try scene.store.cancel(id)
            #expect(try scene.store.forget(olderThan: 60, atMost: 9) == 1)
            let left = "SELECT count(*) FROM amity_task_needs"
            #expect(try scene.sql(left).integer(0, 0) == 2)
            try scene.sql("UPDATE amity_tasks SET finished_at = finished_at - interval '9 days'")
            #expect(try scene.store.forget(olderThan: 60, atMost: 9) == 1)
            #expect(try scene.sql(left).integer(0, 0) == 0)
        }
    }
}
