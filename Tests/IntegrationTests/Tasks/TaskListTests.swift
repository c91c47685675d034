import Foundation
import Postgres
import Testing

@testable import TaskTypes
@testable import Tasks

extension Integration {
    struct TaskListTests {
        /// Fault: pages by number leave out or repeat what is made meanwhile.
        @Test func pagesHaveNoGapsAndNoDoublesWhileTasksAreMade() throws {
            let scene = try TaskScene()
            let old = try (0..<100).map { _ in try scene.submit() }
            var filter = TaskFilter()
            var seen: [TaskID] = []
            // With room for a few pages too many.
            for _ in 0..<20 {
                let page = try scene.store.list(filter, limit: 7)
                guard let last = page.last else { break }
                seen += page.map(\.id)
                filter.before = last.id
                _ = try scene.submit()
            }
            #expect(seen == old.reversed())
        }

        @Test func eachConditionIsKept() throws {
            let scene = try TaskScene()
            let one = try scene.submit("a") { $0.kbID = "k" }
            let two = try scene.begin("b") { $0.kbID = "k" }
            let three = try scene.begin("b")
            let failure = RunOutcome.failed(code: "E", message: "", retries: false)
            _ = try scene.store.finish(three, run: 1, as: failure)
            func found(_ change: (inout TaskFilter) -> Void) throws -> [TaskID] {
                var filter = TaskFilter()
                change(&filter)
                return try scene.store.list(filter, limit: 10).map(\.id)
            }
            #expect(try found { _ in } == [three, two, one])
            #expect(try found { $0.kbID = "k" } == [two, one])
            #expect(try found { $0.type = "b" } == [three, two])
            #expect(try found { ($0.type, $0.kbID) = ("b", "k") } == [two])
            #expect(try found { $0.code = "E" } == [three])
            #expect(try found { $0.code = "F" } == [])
            #expect(try found { $0.before = two } == [one])
            for (state, id) in [(TaskState.queued, one), (.processing, two), (.failed, three)] {
                #expect(try found { $0.state = state } == [id])
            }
            let created = try #require(try scene.store.get(two)?.view.createdAt)
            let milliseconds = Int(created.timeIntervalSince1970 * 1_000)
            #expect(try found { $0.createdAfter = milliseconds }.contains(two))
            #expect(try found { $0.createdAfter = milliseconds + 60_000 } == [])
        }

        // MARK: Operators

        @Test func aFilterCancelsOnlyAfterADryRun() throws {
            let scene = try TaskScene()
            let queued = try scene.submit("a")
            let running = try scene.begin("a")
            _ = try scene.submit("b")
            var filter = TaskFilter()
            filter.type = "a"
            #expect(try scene.store.cancelAll(filter, isDry: true).map(\.id) == [queued, running])
            #expect(try scene.state(queued) == .queued)
            let moved = try scene.store.cancelAll(filter, isDry: false)
            #expect(Set(moved.map(\.state)) == [.cancelled, .processing])
            let own = try scene.store.ownRuns(of: TaskScene.worker)
            #expect(own == [OwnRun(id: running, run: 1, isCancelAsked: true)])
            guard case .unchanged(let task) = try scene.store.cancel(queued) else {
                Issue.record("cancelled twice")
                return
            }
            #expect(task.state == .cancelled)
            #expect(try scene.store.cancel(TaskID(firstAt: 1)) == .missing)
            #expect(try scene.store.cancel(running, kbID: "another") == .missing)
        }

        @Test func whatFailedWithACodeIsRetried() throws {
            let scene = try TaskScene()
            var failed: [TaskID] = []
            for (number, code) in ["E", "E", "F"].enumerated() {
                let id = try scene.begin { $0.uniqueKey = "\(number)" }
                let failure = RunOutcome.failed(code: code, message: "", retries: false)
                _ = try scene.store.finish(id, run: 1, as: failure)
                failed.append(id)
            }
            // The twin of the first lives.
            _ = try scene.submit { $0.uniqueKey = "0" }
            var filter = TaskFilter()
            (filter.type, filter.code) = ("test", "E")
            let moved = try scene.store.retryAll(filter)
            #expect(moved.map(\.id) == [failed[1]] && moved[0].run == 2)
            let detail = try #require(try scene.store.get(failed[1]))
            #expect(detail.view.attempts == 0 && detail.errors?.contains("E") == true)
        }

        @Test func aPriorityIsChangedOnce() throws {
            let scene = try TaskScene()
            let id = try scene.submit()
            guard case .moved(let moved) = try scene.store.setPriority(.critical, of: id),
                case .unchanged = try scene.store.setPriority(.critical, of: id)
            else {
                Issue.record("not moved once")
                return
            }
            #expect(moved.run == 2 && moved.priority == .critical)
        }

        // MARK: Types and tokens

        @Test func typesAreKept() throws {
            let scene = try TaskScene()
            let owner = scene.ownersStore()
            let http = TaskType.Handler.http(url: "https://a/b", secret: "TASK_SECRET_A")
            var types = [
                TaskType(name: "a", handler: .swift), TaskType(name: "b", handler: http),
                TaskType(name: "c", pool: "gpu", priority: .low, handler: .command, timeout: 5),
            ]
            try owner.apply(types)
            #expect(try scene.store.types() == types)
            types[0].retryLimit = 9
            try owner.apply([types[0]])
            #expect(try scene.store.types() == types)
            // A worker's role sets none.
            #expect(throws: PostgresError.self) { try scene.store.apply(types) }
        }

        /// Fault: a table of tokens that leaks opens the API.
        @Test func ofATokenOnlyItsDigestIsStored() throws {
            let scene = try TaskScene()
            let owner = scene.ownersStore()
            let (token, secret) = try owner.createToken(
                name: "n",
                scopes: [.readTasks, .writeTasks],
                kbID: "kb"
            )
            #expect(token.id >= 1 && token.scopes == [.readTasks, .writeTasks])
            #expect(try scene.store.token(of: secret) == token)
            #expect(try scene.store.token(of: secret + "0") == nil)
            let stored = try scene.sql("SELECT amity_tokens::text FROM amity_tokens").string(0, 0)
            #expect(stored?.contains(secret.dropFirst(6)) == false)
            #expect(try owner.revokeToken(token.id))
            #expect(try !owner.revokeToken(token.id))
            #expect(try scene.store.token(of: secret) == nil)
            #expect(try owner.tokens().map(\.revokedAt).allSatisfy { $0 != nil })
            #expect(throws: PostgresError.self) {
                try scene.store.createToken(name: "forged", scopes: [.operations])
            }
        }
    }
}
