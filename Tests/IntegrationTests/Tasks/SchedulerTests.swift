import Postgres
import Testing

@testable import Tasks

extension Integration {
    struct SchedulerTests {
        private static let budgets = Priority.allCases.map { _ in 1_000 }

        /// Makes tasks that are due, `count` of each priority.
        private func makeDue(_ scene: TaskScene, _ count: Int, pool: String = "default") throws {
            let requests = (0..<count).flatMap { _ in
                Priority.allCases.map { priority in
                    var task = NewTask(type: "test", pool: pool, payload: "{}")
                    task.priority = priority
                    return SubmitRequest([task])
                }
            }
            for outcome in try scene.store.submit(requests) { _ = try outcome.get() }
            try scene.sql("UPDATE amity_tasks SET due_at = due_at - interval '1 minute'")
        }

        /// Fault: a million tasks of one priority that are due at once keep the others waiting; or
        /// a queue that takes nothing fills each scan.
        @Test func eachPriorityHasItsBudgetAndSetAsidePoolsAreLeftOut() throws {
            let scene = try TaskScene()
            try makeDue(scene, 5)
            try makeDue(scene, 5, pool: "gpu")
            var floor = ScanFloor()
            func scan(_ budgets: [Int], without pools: [String], at now: Double) throws -> DueScan {
                try scene.store.leaseDue(&floor, budgets: budgets, leavingOut: pools, at: now)
            }
            let first = try scan([9, 3, 3, 0], without: ["gpu"], at: 0)
            let counts = Priority.allCases.map { priority in
                first.toPublish.count { $0.priority == priority }
            }
            #expect(counts == [5, 3, 3, 0] && first.hasMore)
            #expect(first.toPublish.allSatisfy { $0.pool == "default" })
            let second = try scan(Self.budgets, without: ["gpu"], at: 1)
            #expect(second.toPublish.count == 9 && !second.hasMore)
            // Those of the other queue lie below the floor, until a scan without one.
            #expect(try scan(Self.budgets, without: [], at: 2).toPublish.isEmpty)
            #expect(try scan(Self.budgets, without: [], at: 15).toPublish.count == 20)
        }

        /// Two leaders for a moment: no message is published by both.
        @Test func twoSchedulersLeaseEachRowOnce() async throws {
            let scene = try TaskScene()
            for _ in 0..<5 { try makeDue(scene, 50) }
            let store = scene.store
            let leased = try await withThrowingTaskGroup(of: [TaskID].self) { group in
                for _ in 0..<2 {
                    group.addTask {
                        var floor = ScanFloor()
                        return try (0..<40).flatMap { turn in
                            try store.leaseDue(
                                &floor,
                                budgets: [9, 9, 9, 9],
                                at: Double(turn) * 20
                            ).toPublish.map(\.id)
                        }
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(leased.count == 1_000 && Set(leased).count == 1_000)
        }

        /// Fault: a queue was deleted, and its tasks wait for ever.
        @Test func whatIsNotOnTheBrokerAnyMoreIsFoundByCounting() throws {
            let scene = try TaskScene()
            let outcomes = try scene.store.submit(
                (0..<5).map { _ in SubmitRequest([TaskScene.task()]) }
            )
            let publications = try outcomes.flatMap { outcome -> [Publication] in
                guard case .accepted(_, let publications) = try outcome.get() else { return [] }
                return publications
            }
            try scene.store.published(Array(publications.dropLast()))
            let depth = try #require(try scene.store.depths().first)
            #expect(depth.count == 5 && depth.atRest == 4 && depth.state == .queued)
            func missing() throws -> [TaskID] {
                try scene.store.leaseMissing(pool: "default", priority: .normal, count: 3).map(\.id)
            }
            #expect(Set(try missing()) == Set(publications.prefix(3).map(\.id)))
            #expect(try missing() == [publications[3].id])
            #expect(try scene.store.leaseMissing(pool: "gpu", priority: .normal, count: 3).isEmpty)
        }

        /// Fault: progress of all tasks waits for one that another session has locked.
        @Test func aLockedRowsProgressWaitsForTheNextSecond() throws {
            let scene = try TaskScene()
            let ids = try (0..<3).map { _ in try scene.begin() }
            let progress = ids.map { RunProgress(id: $0, run: 1, percent: 10, note: nil) }
            try scene.scene.lock("SELECT 1 FROM amity_tasks WHERE id = '\(ids[1])' FOR UPDATE")
            #expect(try scene.store.write(progress) == [ids[0], ids[2]])
            try scene.sql("COMMIT")
            #expect(try scene.store.write(progress) == Set(ids))
            // A run that was fenced off writes nothing.
            #expect(try scene.store.giveBackLost().count == 3)
            for id in ids { try scene.claim(id, run: 2) }
            #expect(try scene.store.write(progress).isEmpty)
        }
    }
}
