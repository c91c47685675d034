import Concurrency
import Postgres
import TaskRunning
import Testing
import WorkerHealth

@testable import AMQP
@testable import Tasks

extension Integration {
    /// A worker's tasks on the real broker and database.
    struct TaskWorkerTests {
        private let echo = TestHandler { task, _ in .completed(result: task.payload) }

        @Test func eachTaskIsRunOnceAndItsMessageSettled() throws {
            let scene = try TaskWorkerScene()
            let ids = try scene.submit(60)
            try scene.start(handlers: ["test": echo])
            for id in ids { try scene.wait(for: id, toBe: .completed) }
            #expect(echo.count == 60)
            let detail = try #require(try scene.store.get(ids[7]))
            #expect(detail.result == "{\"number\": 7}")
            #expect(detail.view.attempts == 0 && detail.view.run == 1)
            try eventually("nothing is left unsettled") { try scene.queue().unsettled() == 0 }
        }

        /// Fault: a task that takes an hour keeps its message, until the broker gives it to another
        /// worker; or a broker that blinks starts it twice.
        @Test func theMessageIsSettledBeforeTheWorkBegins() throws {
            let scene = try TaskWorkerScene()
            let gate = Gate()
            let handler = TestHandler { _, context in
                gate.wait(orStopOf: context)
                return .completed(result: nil)
            }
            let proxy = try Proxy(to: Servers.port("RABBITMQ_URL"))
            let id = try scene.submit()[0]
            let worker = try scene.start(handlers: ["test": handler]) {
                $0.endpoint.addresses = [.init(host: "127.0.0.1", port: proxy.port)]
            }
            try scene.wait(for: id, toBe: .processing)
            try eventually("the message is settled") { try scene.queue().unsettled() == 0 }
            proxy.dropAll()
            try eventually("it consumes again") { try scene.queue().consumers() == 1 }
            gate.open()
            try scene.wait(for: id, toBe: .completed)
            #expect(handler.count == 1)
            scene.stop(worker)
        }

        /// Fault: what is urgent waits behind a backlog of what is not.
        @Test func urgentTasksComeFirstAndOthersAreNotForgotten() throws {
            let scene = try TaskWorkerScene()
            let gate = Gate()
            let handler = TestHandler { _, context in
                gate.wait(orStopOf: context)
                return .completed(result: nil)
            }
            let low = try scene.submit(30, priority: .low)
            let worker = try scene.start(threads: 1, handlers: ["test": handler])
            try eventually("one runs") { handler.count == 1 }
            let high = try scene.submit(30, priority: .high)
            try eventually("both wait here") {
                try scene.queue(.high).unsettled() == 30 && scene.queue(.high).ready() == 20
            }
            gate.open()
            for id in low + high { try scene.wait(for: id, toBe: .completed) }
            let order = handler.begun.withLock { $0.map(\.priority) }
            #expect(order.dropFirst().first == .high)
            // A tenth is for the one passed over longest.
            let lowAmongFirst = order.dropFirst().prefix(30).count { $0 == .low }
            #expect((2...6).contains(lowAmongFirst))
            scene.stop(worker)
        }

        /// Fault: the first tasks of a new type are given back for as long as the worker believes
        /// what it has read of the table of types.
        @Test func aTypeThatHasJustBeenAppliedIsKnown() throws {
            let scene = try TaskWorkerScene()
            try scene.tasks.sql(
                """
                INSERT INTO amity_task_types
                VALUES ('test', '\(scene.pool)', 1, '{"kind": "command"}', 60, 1)
                """
            )
            let handler = TestHandler { _, _ in .completed(result: nil) }
            let other = try scene.submit(type: "other")[0]
            try scene.start(handlers: ["test": handler, "other": handler])
            try scene.wait(for: other, toBe: .completed)
            try scene.tasks.sql(#"UPDATE amity_task_types SET handler = '{"kind": "swift"}'"#)
            // No scheduler is here that would publish it again.
            try scene.wait(for: try scene.submit()[0], toBe: .completed)
        }

        // MARK: Stops

        @Test func aCancelledRunIsToldAndEndsSo() throws {
            let scene = try TaskWorkerScene()
            let gate = Gate()
            let handler = TestHandler { _, context in
                gate.wait(orStopOf: context)
                return .stopped
            }
            let id = try scene.submit()[0]
            try scene.start(handlers: ["test": handler])
            try scene.wait(for: id, toBe: .processing)
            _ = try scene.store.cancel(id)
            try scene.wait(for: id, toBe: .cancelled)
            #expect(handler.count == 1)
        }

        /// Fault: a handler that is late is charged twice, or never ends.
        @Test func aLateRunIsStoppedAndCharged() throws {
            let scene = try TaskWorkerScene()
            let gate = Gate()
            let handler = TestHandler { _, context in
                gate.wait(orStopOf: context)
                return .failed(code: "GAVE_UP", message: "", retries: true)
            }
            let id = try scene.submit { ($0.timeout, $0.retryLimit) = (1, 0) }[0]
            try scene.start(handlers: ["test": handler])
            try scene.wait(for: id, toBe: .failed)
            let view = try scene.view(id)
            #expect(view.errorCode == "TIMEOUT" && view.attempts == 1)
            let errors = try #require(try scene.store.get(id)?.errors)
            #expect(errors.contains("longer than its timeout_seconds"))
        }

        /// Fault: handlers that never return take every thread, and the worker looks well.
        @Test func aHandlerThatHangsIsFencedOffAndAWorkerWithoutThreadsSaysSo() throws {
            let scene = try TaskWorkerScene()
            let gate = Gate()
            let handler = TestHandler { _, _ in
                gate.wait()
                return .completed(result: "\"too late\"")
            }
            let id = try scene.submit { ($0.timeout, $0.retryLimit) = (1, 0) }[0]
            let worker = try scene.start(threads: 1, handlers: ["test": handler])
            try scene.wait(for: id, toBe: .failed, within: .seconds(40))
            #expect(try scene.view(id).errorCode == "TIMEOUT")
            try eventually("it says so") { scene.isExhausted.withLock(\.self) }
            gate.open()
            scene.stop(worker)
            #expect(try scene.tasks.state(id) == .failed)
            #expect(try scene.store.get(id)?.result == nil)
        }

        /// Fault: a deploy drops what runs, or charges it.
        @Test func aDrainLetsRunsFinishAndGivesTheOthersBack() throws {
            let scene = try TaskWorkerScene()
            let gate = Gate()
            let quick = TestHandler { _, _ in
                gate.wait()
                return .completed(result: nil)
            }
            let endless = TestHandler { _, context in
                Gate().wait(orStopOf: context)
                return .stopped
            }
            let deaf = TestHandler { _, _ in
                Gate().wait()
                return .stopped
            }
            let finishing = try scene.submit(type: "quick")[0]
            let given = try scene.submit(type: "endless")[0]
            let left = try scene.submit(type: "deaf")[0]
            let worker = try scene.start(
                threads: 3,
                handlers: ["quick": quick, "endless": endless, "deaf": deaf]
            ) { $0.drainTimeout = .seconds(3) }
            for id in [finishing, given, left] { try scene.wait(for: id, toBe: .processing) }
            let waiting = try scene.submit(5, type: "quick")
            worker.requestDrain()
            try eventually("what waits is given back") { try scene.queue().ready() == 5 }
            gate.open()
            scene.stop(worker)
            #expect(try scene.tasks.state(finishing) == .completed)
            for id in [given, left] {
                let view = try scene.view(id)
                #expect(view.state == .queued && view.run == 2 && view.attempts == 0)
            }
            #expect(try scene.queue().ready() == 5)
            for id in waiting { #expect(try scene.tasks.state(id) == .queued) }
        }

        // MARK: Leases

        /// Fault: a run goes on and writes its result after the task was given to another worker.
        @Test func aRunThatWasGivenAwayIsToldAndDoesNotCount() throws {
            let scene = try TaskWorkerScene()
            let reason = Locked<RunContext.StopReason?>(nil)
            let handler = TestHandler { _, context in
                Gate().wait(orStopOf: context)
                reason.withLock { $0 = context.stopReason }
                return .completed(result: "\"old\"")
            }
            let id = try scene.submit()[0]
            let worker = try scene.start(handlers: ["test": handler])
            try scene.wait(for: id, toBe: .processing)
            try scene.tasks.sql(
                """
                UPDATE amity_tasks
                SET state = 3, run = 2, worker = NULL, due_at = now() + interval '1h'
                WHERE id = $1::uuid
                """,
                .text(id.text)
            )
            try eventually("it is told") { reason.withLock { $0 } == .fenced }
            scene.stop(worker)
            #expect(try scene.tasks.state(id) == .queued)
            #expect(try scene.store.get(id)?.result == nil)
        }

        /// Fault: the lease of tasks is renewed, and the worker's health forgets what conversations
        /// suffer from in the same database.
        @Test func anotherUsersProblemOfTheDatabaseStays() throws {
            let scene = try TaskWorkerScene()
            let problem = LinkHealth.Problem(
                link: .database,
                kind: .schema,
                code: "42P01",
                text: "a table of conversations is missing"
            )
            _ = scene.health.failed(problem)
            try scene.start(handlers: ["test": echo])
            let renewals = "SELECT count(*) FROM amity_leases WHERE renewed_at > $1::timestamptz"
            let begin = try scene.tasks.sql("SELECT clock_timestamp()::text").string(0, 0)
            try eventually("the lease is renewed") {
                try scene.tasks.sql(renewals, .text(begin ?? "")).integer(0, 0) == 1
            }
            let id = try scene.submit()[0]
            try scene.wait(for: id, toBe: .completed)
            #expect(scene.health.reports.map(\.problem) == [problem])
        }

        /// Fault: progress is lost, or written for each call.
        @Test func progressIsWritten() throws {
            let scene = try TaskWorkerScene()
            let gate = Gate()
            let handler = TestHandler { _, context in
                for percent in 0...65 { context.report(progress: percent, note: "step \(percent)") }
                gate.wait(orStopOf: context)
                return .completed(result: nil)
            }
            let id = try scene.submit()[0]
            try scene.start(handlers: ["test": handler])
            try eventually("it is there") { try scene.view(id).percent == 65 }
            #expect(try scene.store.get(id)?.note == "step 65")
            gate.open()
            try scene.wait(for: id, toBe: .completed)
        }

        // MARK: Queues

        /// Fault: a worker that is busy for hours keeps tasks that an idle one could start, and the
        /// broker closes its channel over them.
        @Test func whatWaitsForLongGoesToAnIdleWorker() throws {
            let scene = try TaskWorkerScene()
            let gate = Gate()
            let handler = TestHandler { task, context in
                if task.payload.contains("0") { gate.wait(orStopOf: context) }
                return .completed(result: nil)
            }
            try scene.start(threads: 1, handlers: ["test": handler]) { $0.patience = .seconds(1) }
            let ids = try scene.submit(3)
            try scene.wait(for: ids[0], toBe: .processing)
            try eventually("the others are given back") { try scene.queue().ready() == 2 }
            let other = try scene.start(threads: 1, handlers: ["test": handler])
            for id in ids.dropFirst() { try scene.wait(for: id, toBe: .completed) }
            scene.stop(other)
            gate.open()
            try scene.wait(for: ids[0], toBe: .completed)
            // The busy worker asks for more again.
            let later = try scene.submit(2)
            for id in later.dropFirst() { try scene.wait(for: id, toBe: .completed) }
        }

        /// Fault: a queue is deleted, and the worker lives on and gets nothing.
        @Test func aQueueThatIsDeletedIsMadeAgain() throws {
            let scene = try TaskWorkerScene()
            try scene.start(handlers: ["test": echo])
            let connection = try Connection(
                to: scene.tasks.scene.settings.endpoint,
                timeout: .seconds(9)
            )
            try connection.openChannel()
            try connection.deleteQueue(scene.queue().name)
            try connection.close()
            let id = try scene.submit()[0]
            try scene.wait(for: id, toBe: .completed)
        }

        /// Fault: a type that this worker does not know is spent, or comes back at once for ever.
        @Test func aTypeWithoutAHandlerIsLeftToOthers() throws {
            let scene = try TaskWorkerScene()
            try scene.start(handlers: ["test": echo])
            let id = try scene.submit(type: "unknown")[0]
            try eventually("its message is settled") { try scene.queue().isDrained() }
            let view = try scene.view(id)
            #expect(view.state == .queued && view.run == 1 && view.attempts == 0)
            #expect(view.dueAt != nil)
        }

        /// Fault: a message that names no task, or an old run, blocks its queue.
        @Test func whatNamesNoWorkIsSettled() throws {
            let scene = try TaskWorkerScene()
            try scene.start(handlers: ["test": echo])
            let id = try scene.submit()[0]
            try scene.wait(for: id, toBe: .completed)
            let queue = TaskQueue(pool: scene.pool, priority: .normal)
            try scene.publish(id, run: 1, queue)
            try scene.publish(id, run: 99, queue)
            for body in ["", "{}", "null", "{\"task_id\":\"x\",\"run\":1}", "\u{FFFD}"] {
                try scene.queue().put(Array(body.utf8))
            }
            try scene.queue().put(Array(repeating: 65, count: 100_000))
            let last = try scene.submit()[0]
            try scene.wait(for: last, toBe: .completed)
            try eventually("all are settled") { try scene.queue().unsettled() == 0 }
            #expect(echo.count == 2)
        }

        /// Fault: a task that has ended a worker runs beside others, and takes them along.
        @Test func aSuspectRunsAlone() throws {
            let scene = try TaskWorkerScene()
            let most = Locked((now: 0, most: 0))
            let gate = Gate()
            let handler = TestHandler { _, context in
                most.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
                gate.wait(orStopOf: context)
                most.withLock { $0.now -= 1 }
                return .completed(result: nil)
            }
            let busy = try scene.submit()[0]
            try scene.start(threads: 4, handlers: ["test": handler])
            try scene.wait(for: busy, toBe: .processing)
            let suspect = try scene.tasks.submit { $0.pool = scene.pool }
            try scene.tasks.sql(
                "UPDATE amity_tasks SET crashes = 1 WHERE id = $1::uuid",
                .text(suspect.text)
            )
            try scene.publish(suspect, run: 1, TaskQueue(pool: scene.pool, priority: .normal))
            try eventually("it waits here") { try scene.queue().unsettled() == 1 }
            #expect(try scene.tasks.state(suspect) == .queued)
            gate.open()
            try scene.wait(for: suspect, toBe: .completed)
            #expect(most.withLock(\.most) == 1)
        }

        /// Fault: a handler's own rows are there twice, or without the task's end.
        @Test func aHandlersOwnStatementsCountOnceWithTheTask() throws {
            let scene = try TaskWorkerScene()
            try scene.tasks.sql("CREATE TABLE effects (task text PRIMARY KEY)")
            try scene.tasks.sql("GRANT INSERT ON effects TO PUBLIC")
            let insert = Statement("insert_effect", "INSERT INTO effects VALUES ($1)")
            let handler = TestHandler { task, _ in
                .completed(result: nil, effects: [(insert, [.text(task.id.text)])])
            }
            let refused = TestHandler { _, _ in
                .completed(result: nil, effects: [(insert, [.null])])
            }
            try scene.start(handlers: ["test": handler, "refused": refused])
            let ids = try scene.submit(10)
            let bad = try scene.submit(type: "refused") { $0.retryLimit = 0 }[0]
            for id in ids { try scene.wait(for: id, toBe: .completed) }
            try scene.wait(for: bad, toBe: .failed)
            #expect(try scene.view(bad).errorCode == "EFFECT_REFUSED")
            let count = try scene.tasks.sql("SELECT count(*) FROM effects").first {
                row throws(PostgresError) in
                try row.integer()
            }
            #expect(count == 10)
        }
    }
}
