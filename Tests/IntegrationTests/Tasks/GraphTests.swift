import Concurrency
import Foundation
import Postgres
import TestSupport
import Testing

@testable import Tasks

extension Integration {
    /// Random graphs of tasks that need each other, some of which fail or are cancelled, while the
    /// processes that schedule are killed. `deploy/dev/graph-trial` runs more of them.
    struct GraphTests {
        private static func number(_ name: String, _ preset: Int) -> Int {
            ProcessInfo.processInfo.environment[name].flatMap { Int($0) } ?? preset
        }

        struct Graph: Sendable {
            var ids: [TaskID]
            var needs: [[Int]]
            /// Whether each runs also where a need has failed.
            var runsAnyway: [Bool]
            var fails: [Bool]

            /// Says what is wrong with these ends; nil for nothing.
            ///
            /// - Parameters:
            ///   - ends: states and codes of the last failures.
            ///   - asked: those whose cancellation was asked for, at whatever time.
            func objection(to ends: [(TaskState, String?)], asked: Set<Int>) -> String? {
                for (number, (state, code)) in ends.enumerated() {
                    let isBroken =
                        !runsAnyway[number] && needs[number].contains { ends[$0].0 != .completed }
                    let expected: Set<TaskState>
                    if isBroken {
                        expected = [.cancelled]
                        if code != "NEED_FAILED", !asked.contains(number) {
                            return "task \(number) was cancelled without its cause"
                        }
                    } else if asked.contains(number) {
                        expected = [.cancelled, fails[number] ? .failed : .completed]
                    } else {
                        expected = [fails[number] ? .failed : .completed]
                    }
                    if !expected.contains(state) {
                        return "task \(number) is \(state), not one of \(expected)"
                    }
                }
                return nil
            }
        }

        /// Fault: a task waits for ever, or runs although what it needs has failed, because a
        /// scheduler died between two steps or two ends came at once.
        @Test func everyGraphEndsAsItsTasksSay() throws {
            let scene = try TaskScene(sessions: 12)
            try Servers.psql(
                [
                    "-v", "role=\(scene.scene.name)", "-v", "intake=1",
                    "-f", Servers.root.appending(path: "deploy/grants.sql").path,
                ],
                searchPath: scene.scene.name
            )
            var variables = scene.scene.variables
            func scheduler() throws -> RunningWorker {
                variables["API_PORT"] = "\(RawConnection.freePort())"
                return try RunningWorker(["api"], environment: variables)
            }
            let seed = Self.number("AMITY_SEED", .random(in: 1...999))
            print("seed \(seed)")
            var random = SeededGenerator(seed: UInt64(seed))
            var schedulers = [try scheduler(), try scheduler()]
            let graphs = try (0..<Self.number("AMITY_GRAPHS", 3)).map { _ in
                try Self.make(100 + Int.random(in: 0...100, using: &random), &random, in: scene)
            }
            let tasks = graphs.flatMap(\.ids)
            let isDone = DrainSignal()
            defer { isDone.raise() }
            let fails = Set(
                graphs.flatMap { graph in zip(graph.ids, graph.fails).filter(\.1).map(\.0) }
            )
            let errors = Locked<[String]>([])
            for lane in 0..<3 {
                startThread(name: "lane-\(lane)", stackBytes: 512 << 10) { [store = scene.store] in
                    Self.work(until: isDone, on: store, fails: fails, errors)
                }
            }
            var asked: Set<TaskID> = []
            var kills = 0
            let living = "SELECT count(*) FROM amity_tasks WHERE state < 5"
            let deadline = ContinuousClock.now + .seconds(120 + 4 * graphs.count)
            while try scene.sql(living).integer(0, 0) ?? 0 > 0, ContinuousClock.now < deadline {
                let victim = Int.random(in: 0...1, using: &random)
                schedulers[victim].signal(SIGKILL)
                schedulers[victim] = try scheduler()
                kills += 1
                for _ in 0..<3 {
                    let id = tasks.randomElement(using: &random) ?? tasks[0]
                    asked.insert(id)
                    _ = try scene.store.cancel(id)
                }
                // The next one leads when the lease of a leader that was killed is over.
                try eventually("one leads", within: .seconds(20)) {
                    try scene.sql(Self.leads).integer(0, 0) == 1
                }
                isDone.wait(for: .milliseconds(500))
            }
            #expect(kills > 1)
            #expect(errors.withLock(\.self) == [])
            for graph in graphs {
                let ends = try graph.ids.map { id -> (TaskState, String?) in
                    let view = try #require(try scene.store.get(id)).view
                    return (view.state, view.errorCode)
                }
                let own = Set(graph.ids.indices.filter { asked.contains(graph.ids[$0]) })
                #expect(graph.objection(to: ends, asked: own) == nil)
            }
            #expect(try scene.store.findLostWakes(atMost: 1_000) == 0)
            try eventually("all batches have ended", within: .seconds(20)) {
                let open = "SELECT count(*) FROM amity_batches WHERE finished_at IS NULL"
                return try scene.sql(open).integer(0, 0) == 0
            }
            print("graphs: \(graphs.count), tasks: \(tasks.count), kills: \(kills)")
        }

        private static let leads = """
            SELECT count(*) FROM amity_leases
            WHERE name = 'scheduler' AND renewed_at > clock_timestamp() - interval '900 ms'
            """

        private static func make(
            _ count: Int,
            _ random: inout SeededGenerator,
            in scene: TaskScene
        ) throws -> Graph {
            var graph = Graph(ids: [], needs: [], runsAnyway: [], fails: [])
            var tasks: [NewTask] = []
            for number in 0..<count {
                var needs: Set<Int> = []
                for _ in 0..<Int.random(in: 0...3, using: &random) where number > 0 {
                    needs.insert(Int.random(in: max(0, number - 30)..<number, using: &random))
                }
                graph.needs.append(needs.sorted())
                graph.runsAnyway.append(Int.random(in: 0..<3, using: &random) == 0)
                graph.fails.append(Int.random(in: 0..<12, using: &random) == 0)
                tasks.append(
                    TaskScene.task {
                        $0.needs = graph.needs[number].map(NewTask.Need.entry)
                        $0.runsOnFailedNeed = graph.runsAnyway[number]
                    }
                )
            }
            var request = SubmitRequest(tasks)
            request.batch = .new()
            guard case .accepted(let made, _) = try scene.store.submit([request])[0].get() else {
                throw TaskScene.Refused()
            }
            graph.ids = made.tasks.map(\.id)
            return graph
        }

        /// Claims what is queued, and ends it as its graph says.
        private static func work(
            until isDone: DrainSignal,
            on store: TaskStore,
            fails: Set<TaskID>,
            _ errors: Locked<[String]>
        ) {
            var filter = TaskFilter()
            filter.state = .queued
            while !isDone.isRaised {
                do throws(PostgresError) {
                    let queued = try store.list(filter, limit: 50)
                    if queued.isEmpty { isDone.wait(for: .milliseconds(20)) }
                    for view in queued.shuffled() {
                        let claim = try store.claim(
                            TaskClaim(id: view.id, run: view.run, worker: TaskScene.worker),
                            mayRunAlone: true
                        )
                        guard case .claimed(let task) = claim else { continue }
                        let end: RunOutcome =
                            fails.contains(task.id)
                            ? .failed(code: "E", message: "", retries: false)
                            : .succeeded(result: nil)
                        _ = try store.finish(task.id, run: task.run, as: end)
                    }
                } catch {
                    errors.withLock { $0.append("\(error)") }
                    return
                }
            }
        }
    }
}
