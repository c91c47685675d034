import Foundation
import Postgres
import TestSupport
import Testing

@testable import Tasks

extension Integration {
    /// Handlers in Swift, in a worker of a package of its own: all that the library promises.
    struct OwnHandlerTests {
        private let scene: WorkerProcessScene

        init() throws {
            let types = ["effect", "failing", "waiting"].map { ($0, #"{"kind": "swift"}"#) }
            scene = try WorkerProcessScene(types: Dictionary(uniqueKeysWithValues: types))
        }

        private func json(_ members: [String: Any]) throws -> String {
            String(decoding: try JSONSerialization.data(withJSONObject: members), as: UTF8.self)
        }

        // MARK: Statements of its own

        private static let insert = "INSERT INTO effects VALUES ($1, $2::int)"

        private func makeEffects() throws {
            try scene.sql("CREATE TABLE effects (task text, run integer CHECK (run < 9))")
            try scene.sql("GRANT INSERT ON effects TO PUBLIC")
        }

        /// The runs of a task whose statement took effect.
        private func effects(of id: TaskID) throws -> String? {
            try scene.sql(
                "SELECT string_agg(run::text, ' ') FROM effects WHERE task = '\(id)'"
            ).string(0, 0)
        }

        /// Faults: a handler's rows are there without its task's end, as after an error that it has
        /// thrown, or are missing, or have a text that ends at its NUL; an error is in the log.
        @Test func statementsTakeEffectWithTheCompletionAlone() throws {
            try makeEffects()
            let worker = try scene.startWorker()
            let done = try scene.submit("effect", try json(["sql": Self.insert]))
            let thrown = try scene.submit(
                "effect",
                try json(["sql": Self.insert, "thrown": "canary-thrown"]),
                #""retry_limit":0"#
            )
            let withNUL = try json(["sql": Self.insert, "text": "a<NUL>b"])
            let text = try scene.submit("effect", withNUL)
            for id in [done, text] { try scene.wait(for: id, toBe: .completed) }
            #expect(try effects(of: done) == "1")
            #expect(try scene.sql("SELECT 1 FROM effects WHERE task = U&'a\\FFFDb'").count == 1)
            try scene.wait(for: thrown, toBe: .failed)
            let error = try scene.error(of: thrown)
            #expect(error.code == "HANDLER_ERROR")
            #expect(error.message == #"Odd(text: "canary-thrown")"#)
            #expect(try effects(of: thrown) == nil)
            try eventually("it is logged") { !worker.events("task.failed").isEmpty }
            #expect(!worker.log.contains("canary"))
        }

        /// With mistakes of every kind; the last is refused by the COMMIT.
        private static let refused = [
            "INSERT INTO nowhere VALUES ($1, $2::int)", "INSRT INTO effects VALUES ($1, $2::int)",
            "DELETE FROM effects WHERE task = $1 AND run = $2::int",
            "INSERT INTO effects VALUES ($1, $2::int / 0)",
            "INSERT INTO effects VALUES ($1, $2::int + 9)", "SELECT refuse($1, $2::int)",
            "INSERT INTO late VALUES ($1, $2::int)",
        ]

        private func makeWhatRefuses() throws {
            let body = "LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'canary-raised'; END $$"
            try scene.sql("CREATE FUNCTION refuse(text, integer) RETURNS void \(body)")
            try scene.sql("CREATE FUNCTION refuse() RETURNS trigger \(body)")
            try scene.sql("CREATE TABLE late (task text, run integer)")
            try scene.sql("GRANT INSERT ON late TO PUBLIC")
            try scene.sql(
                """
                CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON late
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()
                """
            )
        }

        /// Fault: a statement with a mistake holds its thread until the worker ends, which tries it
        /// again and again as if the database were away, and says that the database is ill.
        @Test func aStatementThatIsRefusedFailsItsRun() throws {
            try makeEffects()
            try makeWhatRefuses()
            let worker = try scene.startWorker()
            let ids = try Self.refused.map { sql in
                try scene.submit("effect", try json(["sql": sql]), #""retry_limit":0"#)
            }
            for (id, sql) in zip(ids, Self.refused) {
                try scene.wait(for: id, toBe: .failed)
                #expect(try scene.error(of: id).code == "EFFECT_REFUSED", "\(sql)")
                #expect(try effects(of: id) == nil, "\(sql)")
            }
            #expect(worker.events("tasks.database-failed").isEmpty)
            #expect(!worker.log.contains("canary"))
        }

        /// Fault: the same for what looks like an outage each time, and is none.
        @Test func aStatementThatMimicsAnOutageFailsItsRun() throws {
            try makeEffects()
            try scene.sql(
                """
                CREATE FUNCTION say_full() RETURNS void LANGUAGE plpgsql AS
                $$BEGIN RAISE EXCEPTION 'canary' USING ERRCODE = '53100'; END$$
                """
            )
            let worker = try scene.startWorker()
            let values = "$1::text, $2::int"
            let statements = [
                "SELECT say_full(), \(values)",
                "SELECT pg_terminate_backend(pg_backend_pid()), \(values)",
                // 08P01: there are more values than it has places for.
                "SELECT 1",
            ]
            let ids = try statements.map { sql in
                try scene.submit("effect", try json(["sql": sql]), #""retry_limit":0"#)
            }
            for (id, sql) in zip(ids, statements) {
                try scene.wait(for: id, toBe: .failed)
                #expect(try scene.error(of: id).code == "EFFECT_REFUSED", "\(sql)")
            }
            #expect(!worker.log.contains("canary"))
        }

        /// Fault: a run that was given away meanwhile ends all the same, and its effect is there
        /// twice.
        @Test func aRunThatWasFencedOffHasNoEffect() throws {
            try makeEffects()
            let gate = FileGate()
            let worker = try scene.startWorker()
            let id = try scene.submit("effect", try json(["sql": Self.insert, "gate": gate.path]))
            try scene.wait(for: id, toBe: .processing)
            try scene.sql(
                """
                UPDATE amity_tasks SET state = 3, run = 2, worker = NULL, due_at = now()
                WHERE id = '\(id)'
                """
            )
            try eventually("the first run has ended") { !worker.events("task.fenced").isEmpty }
            #expect(try effects(of: id) == nil)
            gate.open()
            try scene.wait(for: id, toBe: .completed)
            #expect(try effects(of: id) == "2")
            #expect(try scene.get(id)["result"] as? [String: Int] == ["run": 2])
        }

        // MARK: How a run fails

        /// Faults: a failure is not the one that was thrown; a task runs again that should not, or
        /// at another time; what a handler says for people is in the log.
        @Test func aFailureIsWhatTheHandlerSays() throws {
            let worker = try scene.startWorker()
            func fail(_ members: [String: Any], _ more: String = "") throws -> TaskID {
                try scene.submit("failing", try json(members), more)
            }
            let final = try fail([
                "code": "NO_ROOM", "message": "canary-message", "retries": false,
            ])
            let odd = try fail(["code": "canary code", "retries": false])
            let later = try fail(["code": "BUSY", "after": 3_600])
            let never = try fail(["code": "BUSY", "after": 1e30])
            let soon = try fail(["code": "BUSY", "after": -1], #""kb_id":"kb-1""#)
            let unlike = try scene.submit("failing", #"{"code":{"canary":"canary"}}"#)
            try scene.wait(for: final, toBe: .failed)
            #expect(try scene.error(of: final) == ("NO_ROOM", "canary-message"))
            #expect(try scene.view(final).attempts == 1)
            try scene.wait(for: odd, toBe: .failed)
            #expect(try scene.error(of: odd).code == "canary code")
            try scene.wait(for: unlike, toBe: .failed)
            #expect(
                try scene.error(of: unlike)
                    == ("INVALID_PAYLOAD", "the payload is not as the handler reads it")
            )
            try scene.wait(for: soon, toBe: .completed)
            let told = try scene.get(soon)["result"] as? [String: Any]
            #expect(told?["run"] as? Int == 2 && told?["attempt"] as? Int == 2)
            #expect(told?["kb"] as? String == "kb-1")
            for (id, seconds) in [(later, 3_600), (never, 315_360_000)] {
                try scene.wait(for: id, toBe: .scheduled)
                let due = try #require(try scene.view(id).dueAt).timeIntervalSinceNow
                #expect(abs(due - Double(seconds)) < 60)
                #expect(try scene.error(of: id).code == "BUSY")
            }
            try eventually("all are logged") {
                worker.events(["task.failed", "task.retry-scheduled"]).count >= 5
            }
            #expect(!worker.log.contains("canary"))
        }

        // MARK: What a run is told

        /// Faults: progress does not reach who waits; a handler is not told of a cancellation, or
        /// its end counts as a failure.
        @Test func aRunReportsAndIsStopped() throws {
            let worker = try scene.startWorker()
            let (gate, told, toldOfDrain) = (FileGate(), try TemporaryFile(), try TemporaryFile())
            let payload = try json(["gate": gate.path, "log": told.path, "note": "canary-note"])
            let cancelled = try scene.submit("waiting", payload)
            let drained = try scene.submit(
                "waiting",
                try json(["gate": gate.path, "log": toldOfDrain.path])
            )
            for id in [cancelled, drained] {
                try eventually("progress is there") {
                    try scene.get(id)["progress"] as? Int == 40
                }
            }
            #expect(try scene.store.get(cancelled)?.note == "canary-note")
            #expect(try scene.api.send("DELETE", "/tasks/\(cancelled)").status == 202)
            try scene.wait(for: cancelled, toBe: .cancelled)
            try eventually("the handler was told so") {
                Set(told.content.split(separator: "\n")) == ["stop", "cancelAsked", "end"]
            }
            worker.signal(SIGTERM)
            #expect(try worker.waitForExit() == 0)
            let view = try scene.view(drained)
            #expect(view.run == 2 && view.attempts == 0 && view.state == .queued)
            let words = toldOfDrain.content.split(separator: "\n").filter { $0 != "stop" }
            #expect(words.prefix(2) == ["workerDrains", "givenBack"], "\(words)")
            #expect(!worker.log.contains("canary"))
            gate.open()
            try scene.startWorker()
            try scene.wait(for: drained, toBe: .completed)
            #expect(try scene.get(drained)["result"] as? String == "done")
        }

        // MARK: The worker

        /// Faults: an orchestrator takes a worker of one's own for dead, or Prometheus finds
        /// nothing; a port that is taken is waited for.
        @Test func itServesHealthAndMetricsOnAPortOfItsOwn() throws {
            let port = RawConnection.freePort()
            let settings = ["HTTP_PORT": "\(port)"]
            try scene.startWorker(of: WorkerProcessScene.probe, settings)
            let id = try scene.submit("failing", #"{"code":"NO_ROOM","retries":false}"#)
            try scene.wait(for: id, toBe: .failed)
            for path in ["/health", "/health/live", "/health/ready"] {
                #expect(try RawAnswer.get(path, port: port).status == 200, "\(path)")
            }
            try eventually("its failure is counted") {
                try RawAnswer.get("/metrics", port: port).body
                    .contains(#"task_failure_total{task_type="failing"} 1"#)
            }
            try expectEnd(69, saying: "\(port)", settings: settings)
        }

        /// - Parameter arguments: of the worker.
        private func expectEnd(
            _ status: Int32,
            saying complaint: String,
            arguments: [String] = [],
            settings: [String: String] = [:]
        ) throws {
            let worker = try RunningWorker(
                arguments,
                of: WorkerProcessScene.probe,
                environment: scene.tasks.scene.variables.merging(settings) { $1 }
            )
            #expect(try worker.waitForExit() == status)
            #expect(worker.log.contains(complaint), "\(worker.log)")
        }

        /// Fault: tasks of a type that is none, or of one of two handlers, are never run, and
        /// nothing says why.
        @Test func itEndsWithWhatCannotBeUsed() throws {
            try expectEnd(78, saying: "TASK_CONC", settings: ["TASK_CONCURRENCY": "0"])
            try expectEnd(78, saying: "no name is no type", arguments: ["nameless"])
            try expectEnd(78, saying: "two handlers have the type effect", arguments: ["double"])
        }
    }
}
