import Concurrency
import Postgres
import TestSupport
import Testing

@testable import TaskRunning
@testable import Tasks

extension Integration {
    /// Ends and claims of several threads in one transaction.
    struct TogetherTests {
        private static func claim(_ id: TaskID, run: Int = 1, token: RunToken? = nil) -> TaskClaim {
            TaskClaim(id: id, run: run, worker: TaskScene.worker, token: token)
        }

        private static func done(_ id: TaskID, run: Int = 1, _ result: String?) -> TaskCompletion {
            TaskCompletion(id: id, run: run, result: result, hasCallback: false)
        }

        /// Holds tasks in a transaction that stays open. Who waits for them meets new versions of
        /// their rows, and sets the times of then.
        private static func locked(_ ids: [TaskID], in scene: Scene) throws -> Session {
            var session = try Session(to: scene.owner, applicationName: "other")
            let patience = Statement("p", "SET LOCAL idle_in_transaction_session_timeout = 0")
            let hold = Statement(
                "hold",
                "UPDATE amity_tasks SET progress = 5 WHERE id = ANY ($1::uuid[])"
            )
            _ = try session.flight([
                (.begin, []), (patience, []), (hold, [.textArray(ids.map(\.text))]),
            ])
            return session
        }

        private static func waitUntilHeldUp(
            by session: borrowing Session,
            in scene: TaskWorkerScene
        ) throws {
            let holder = Parameter.integer(session.announcedProcess)
            try eventually("an end is held up") {
                try scene.tasks.sql(
                    "SELECT FROM pg_stat_activity WHERE $1::int = ANY (pg_blocking_pids(pid))",
                    holder
                ).count > 0
            }
        }

        @Test func eachGetsItsOwn() throws {
            let scene = try TaskScene()
            let running = try (0..<3).map { _ in try scene.begin() }
            let dependent = try scene.submit { $0.needs = [.task(running[1])] }
            let waiting = try (0..<3).map { number in
                try scene.submit { $0.payload = "{\"number\": \(number)}" }
            }
            let token = RunToken(run: 1)
            let (completed, claimed) = try scene.store.advance(
                [
                    Self.done(running[0], "1"), Self.done(running[1], nil),
                    Self.done(running[2], "[2]"),
                ],
                claiming: [
                    Self.claim(waiting[0]), Self.claim(waiting[1], token: token),
                    Self.claim(waiting[2]),
                ]
            )
            #expect(Set(completed.map(\.id)) == Set(running))
            let results = try running.map { try scene.store.get($0)?.result }
            #expect(results == ["1", nil, "[2]"])
            let payloads = Dictionary(uniqueKeysWithValues: claimed.map { ($0.id, $0.payload) })
            #expect(waiting.map { payloads[$0] } == (0..<3).map { "{\"number\": \($0)}" })
            #expect(try scene.store.holder(of: token, task: waiting[1])?.run == 1)
            #expect(try scene.store.holder(of: token, task: waiting[0]) == nil)
            let look = try scene.store.lookAtDependents(atMost: 9)
            #expect(look.toPublish.map(\.id) == [dependent])
        }

        /// Faults: what may not move does; one that may not holds up the others, or takes their
        /// place.
        @Test func whatIsOutdatedIsLeftOut() throws {
            let scene = try TaskScene()
            let (fenced, running) = (try scene.begin(), try scene.begin())
            let (cancelled, suspect, good) = (
                try scene.submit(), try scene.submit(), try scene.submit()
            )
            _ = try scene.store.cancel(cancelled)
            try scene.sql("UPDATE amity_tasks SET crashes = 1 WHERE id = $1::uuid", .id(suspect))
            let (completed, claimed) = try scene.store.advance(
                [Self.done(fenced, run: 2, "1"), Self.done(running, "2")],
                claiming: [
                    Self.claim(cancelled), Self.claim(suspect), Self.claim(good, run: 1),
                    Self.claim(running), Self.claim(TaskID(firstAt: 1)),
                ]
            )
            #expect(completed.map(\.id) == [running] && claimed.map(\.id) == [good])
            #expect(try scene.store.get(fenced)?.view.state == .processing)
        }

        /// Fault: of two runs of one task, both in hand of one worker, the one that was fenced off
        /// gives its result or its token, or both are refused.
        @Test func ofTwoRunsOfATaskTheRightOneCounts() throws {
            let scene = try TaskScene()
            let (running, waiting) = (try scene.begin(), try scene.submit())
            try scene.sql("UPDATE amity_tasks SET run = 2")
            let tokens = [1, 2, 3].map { RunToken(run: $0) }
            let (completed, claimed) = try scene.store.advance(
                (1...3).map { Self.done(running, run: $0, "\($0)") },
                claiming: (1...3).map { Self.claim(waiting, run: $0, token: tokens[$0 - 1]) }
            )
            #expect(completed.map(\.run) == [2] && claimed.map(\.run) == [2])
            #expect(try scene.store.get(running)?.result == "2")
            let holders = try tokens.map { try scene.store.holder(of: $0, task: waiting)?.run }
            #expect(holders == [nil, 2, nil])
        }

        /// Fault: a row that an operator's statement holds makes all threads of a worker wait, or
        /// they wait for each other in a circle.
        @Test func whatIsLockedIsNotWaitedFor() throws {
            let scene = try TaskScene()
            let (held, running) = (try scene.begin(), try scene.begin())
            let (heldToo, good) = (try scene.submit(), try scene.submit())
            var other = try Self.locked([held, heldToo], in: scene.scene)
            let (completed, claimed) = try scene.store.advance(
                [Self.done(held, nil), Self.done(running, nil)],
                claiming: [Self.claim(heldToo), Self.claim(good)]
            )
            #expect(completed.map(\.id) == [running] && claimed.map(\.id) == [good])
            _ = try other.flight([(.commit, [])])
            let again = try scene.store.advance([Self.done(held, nil)], claiming: [])
            #expect(again.completed.map(\.id) == [held])
        }

        /// Fault: a result that PostgreSQL does not take costs those their ends that came with it.
        @Test func aRefusedResultFailsItsOwnTaskAlone() throws {
            let scene = try TaskWorkerScene()
            let gate = Gate()
            let handler = TestHandler { task, context in
                gate.wait(orStopOf: context)
                return .completed(result: task.payload.contains("4") ? "{" : "7")
            }
            let ids = try scene.submit(8)
            try scene.start(threads: 8, handlers: ["test": handler])
            try eventually("all run") { handler.count == 8 }
            gate.open()
            for (number, id) in ids.enumerated() {
                try scene.wait(for: id, toBe: number == 4 ? .failed : .completed)
            }
            #expect(try scene.view(ids[4]).errorCode == "RESULT_REFUSED")
            #expect(handler.count == 8)
        }

        /// Fault: the end of a run is forgotten where its thread's next message is no task that it
        /// may begin.
        @Test func anEndIsWrittenWhateverComesNext() throws {
            let scene = try TaskWorkerScene()
            let gate = Gate()
            let handler = TestHandler { _, context in
                gate.wait(orStopOf: context)
                return .completed(result: nil)
            }
            let first = try scene.submit()[0]
            let worker = try scene.start(threads: 1, handlers: ["test": handler])
            try eventually("it runs") { handler.count == 1 }
            let queue = TaskQueue(pool: scene.pool, priority: .normal)
            let unhandled = try scene.submit(type: "other")[0]
            let cancelled = try scene.submit()[0]
            _ = try scene.store.cancel(cancelled)
            let suspect = try scene.submit()[0]
            try scene.tasks.sql(
                "UPDATE amity_tasks SET crashes = 1 WHERE id = $1::uuid",
                .id(suspect)
            )
            try scene.publish(TaskID(firstAt: 1), run: 1, queue)
            try eventually("all wait here") { try scene.queue().unsettled() == 4 }
            gate.open()
            for id in [first, suspect] { try scene.wait(for: id, toBe: .completed) }
            try eventually("all are settled") { try scene.queue().unsettled() == 0 }
            #expect(try scene.view(unhandled).state == .queued)
            #expect(handler.count == 2)
            scene.stop(worker)
        }

        /// Fault: a task that may kill its worker begins while the end of another is not written:
        /// that one is lost with it, and blamed.
        @Test func aSuspectWaitsForTheEndsOfOthers() throws {
            let scene = try TaskWorkerScene()
            let gates = [Gate(), Gate()]
            let handler = TestHandler { task, context in
                let number = task.payload.last { $0.isNumber }?.wholeNumberValue ?? 0
                if !task.isSuspect { gates[number].wait(orStopOf: context) }
                return .completed(result: nil)
            }
            let ids = try scene.submit(2)
            let worker = try scene.start(threads: 2, handlers: ["test": handler])
            try eventually("both run") { handler.count == 2 }
            var other = try Self.locked([ids[0]], in: scene.tasks.scene)
            gates[0].open()
            try Self.waitUntilHeldUp(by: other, in: scene)
            let suspect = try scene.submit { $0.delay = 3_600 }[0]
            try scene.tasks.sql(
                """
                UPDATE amity_tasks SET state = 3, crashes = 1, due_at = NULL WHERE id = $1::uuid
                """,
                .id(suspect)
            )
            try scene.publish(suspect, run: 1, TaskQueue(pool: scene.pool, priority: .normal))
            try eventually("it waits here") { try scene.queue().unsettled() == 1 }
            gates[1].open()
            try scene.wait(for: ids[1], toBe: .completed)
            _ = try other.flight([(.commit, [])])
            for id in ids + [suspect] { try scene.wait(for: id, toBe: .completed) }
            let tooEarly = try scene.tasks.sql(
                """
                SELECT FROM amity_tasks AS began, amity_tasks AS ended
                WHERE began.id = $1::uuid AND ended.id = $2::uuid
                  AND began.started_at < ended.finished_at
                """,
                .id(suspect),
                .id(ids[0])
            )
            #expect(tooEarly.count == 0)
            scene.stop(worker)
        }

        /// Fault: a task is claimed and does not begin, for as long as the end of the one before it
        /// is held up.
        @Test func whatIsClaimedBeginsThoughAnEndIsHeldUp() throws {
            let scene = try TaskWorkerScene()
            let gate = Gate()
            let handler = TestHandler { task, context in
                if task.payload.contains("0") { gate.wait(orStopOf: context) }
                return .completed(result: nil)
            }
            let ids = try scene.submit(2)
            let worker = try scene.start(threads: 1, handlers: ["test": handler])
            try eventually("the first runs, the other waits here") {
                try handler.count == 1 && scene.queue().unsettled() == 1
            }
            var other = try Self.locked([ids[0]], in: scene.tasks.scene)
            gate.open()
            try Self.waitUntilHeldUp(by: other, in: scene)
            try scene.wait(for: ids[1], toBe: .completed)
            #expect(try scene.view(ids[0]).state == .processing)
            _ = try other.flight([(.commit, [])])
            try scene.wait(for: ids[0], toBe: .completed)
            scene.stop(worker)
        }
    }
}
