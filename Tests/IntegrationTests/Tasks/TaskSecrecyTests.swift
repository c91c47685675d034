import Concurrency
import Events
import Foundation
import Messaging
import Postgres
import TestSupport
import Testing

@testable import Settings
@testable import Tasks

extension Integration {
    /// What tasks are given and what they answer is planted in every way that a task can take, and
    /// looked for in everything that an API, a worker and their commands write and send.
    struct TaskSecrecy {
        private static let token = "canary-token-long-enough"
        private static let secret = "canary-of-a-secret"
        /// In the form of secrets, a word that `canary` does not find.
        private static let key = "whsec_\(Data(secret.utf8).base64EncodedString())"

        /// What a command does, by a word in its payload.
        private static let script = """
            read -r payload
            echo "$payload canary-stderr" >&2
            case $payload in
                *succeeds*) echo '{"progress":10,"note":"canary-note"}'
                    echo '{"result":"canary-result"}' ;;
                *babbles*) echo 'canary-output' ;;
                *exits*) exit 7 ;;
                *fails*)
                    echo '{"error":{"code":"NO_ROOM","message":"canary-error","retry":false}}' ;;
                *retries*) echo '{"error":{"code":"BUSY","message":"canary-error"}}' ;;
            esac
            """

        /// What a service answers, by a word in the payload that it is sent.
        private static func answer(to request: StubServer.Request) -> StubServer.Answer {
            let body = #"{"said":"canary-body"}"#
            let answers: [(String, StubServer.Answer)] = [
                ("succeeds", .json(body)), ("babbles", .json("canary-body")),
                ("breaks", .status(500, body: body)), ("refuses", .status(404, body: body)),
                ("redirects", .status(302, headers: ["location": "/canary"], body: body)),
                ("later", .status(202, body: body)), ("hangs up", .cutOff),
            ]
            if request.path.hasPrefix("/hook") { return .status(500, body: body) }
            return answers.first { request.body.contains($0.0) }?.1 ?? .status(400)
        }

        private let service: StubServer
        private let script: TemporaryFile
        private let commands: TemporaryFile
        private let scene: WorkerProcessScene
        private let workerPort = RawConnection.freePort()

        init() throws {
            service = try StubServer { Self.answer(to: $0) }
            script = try TemporaryFile(Self.script)
            let argv = #"["/bin/sh", "\#(script.path)"]"#
            commands = try TemporaryFile(
                #"{"commands": [{"type": "command", "argv": \#(argv)}]}"#
            )
            let url = "\(service.url)/run?key=canary-query"
            let variable = "TASK_SECRET_CALLBACK"
            scene = try WorkerProcessScene(
                types: [
                    "command": #"{"kind": "command"}"#, "test": #"{"kind": "swift"}"#,
                    "http": #"{"kind": "http", "url": "\#(url)", "secret": "\#(variable)"}"#,
                ],
                token: Self.token,
                settings: [
                    "EVENTS": "tasks", "HTTP_TARGET_HOSTS": "127.0.0.1",
                    "TASK_COMMANDS": commands.path, variable: Self.key,
                    "HTTP_TOKEN": Self.token,
                ]
            )
            try scene.sql(
                """
                INSERT INTO amity_task_types
                VALUES ('kept', '\(scene.pool)-kept', 2, '{"kind": "swift"}', 30, 3)
                """
            )
        }

        // MARK: What is planted

        private func submit(
            _ type: String,
            _ word: String,
            _ more: String = "",
            retries: Int = 0
        ) throws -> TaskID {
            let unique = "canary-\(type)-\(word)"
            let members =
                #""tags":["canary-tag"],"unique":"\#(unique)","retry_limit":\#(retries)"#
            let payload = #"{"word":"\#(word)","said":"canary-payload"}"#
            return try scene.submit(type, payload, members + more)
        }

        /// - Returns: tasks that end, each with the error that it ends with; nil for none.
        private func plant() throws -> [(TaskID, code: String?)] {
            let callback =
                #","callback":{"url":"\#(service.url)/hook?key=canary-query","#
                + #""secret":"TASK_SECRET_CALLBACK"}"#
            return [
                (try submit("test", "echo", callback), nil),
                (try submit("test", "quoted"), "RESULT_REFUSED"),
                (try submit("command", "succeeds"), nil),
                (try submit("command", "babbles", callback), "OUTPUT_REFUSED"),
                (try submit("command", "exits"), "COMMAND_EXIT_7"),
                (try submit("command", "fails"), "NO_ROOM"),
                (try submit("command", "retries"), "BUSY"),
                (try submit("http", "succeeds"), nil),
                (try submit("http", "babbles"), "RESULT_REFUSED"),
                (try submit("http", "breaks"), "HTTP_500"),
                (try submit("http", "refuses"), "HTTP_404"),
                (try submit("http", "redirects"), "HTTP_302"),
                (try submit("http", "hangs up"), "UNREACHABLE"),
            ]
        }

        /// The server's own words quote what was to be stored.
        private func quoteRows() throws {
            try scene.sql(
                """
                CREATE FUNCTION quote() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    IF coalesce(NEW.result, NEW.payload)::text LIKE '%no row%'
                        OR NEW.result::text LIKE '%quoted%' THEN
                        RAISE EXCEPTION 'said %', NEW.payload USING DETAIL = NEW.payload::text;
                    END IF;
                    RETURN NEW;
                END $$
                """
            )
            try scene.sql(
                """
                CREATE TRIGGER quote BEFORE INSERT OR UPDATE ON amity_task_data
                FOR EACH ROW EXECUTE FUNCTION quote()
                """
            )
        }

        /// Requests that are refused, each with something to quote.
        private func sendMistakes() throws {
            let header = ["Idempotency-Key: canary-key"]
            for (body, status) in [
                (#"{"task_type":"test","payload":{"said":"canary-payload"#, 400),
                (#"{"task_type":"canary-type"}"#, 422),
                (#"{"task_type":"test","canary-member":"canary"}"#, 422),
                (#"{"task_type":"test","payload":{"said":"canary, no row"}}"#, 500),
            ] {
                let answer = try scene.api.send("POST", "/tasks", body, headers: header)
                #expect(answer.status == status, "\(answer.raw.body)")
            }
            let other = try scene.api.send("GET", "/tasks?type=canary-type", token: "canary-wrong")
            #expect(other.status == 401)
            #expect(try scene.api.send("GET", "/locks/canary-lock").status >= 400)
        }

        /// A service that reports later says that it has failed, and then completes its task.
        private func report() throws -> TaskID {
            let id = try submit("http", "later", retries: 1)
            func asked() -> [String] {
                service.requests.filter { $0.body.contains(id.text) }
                    .compactMap { $0.headers["amity-run-token"] }
            }
            for (number, body) in [
                (1, #"/fail {"code":"canary-code","message":"canary-error"}"#),
                (2, #" {"progress":10,"note":"canary-note"}"#),
                (2, #"/complete {"result":"canary-result"}"#),
            ] {
                try eventually("it is asked") { asked().count == number }
                let parts = body.split(separator: " ", omittingEmptySubsequences: false)
                let answer = try scene.api.send(
                    parts[0].isEmpty ? "PATCH" : "POST",
                    "/tasks/\(id)/run\(parts[0])",
                    String(parts[1]),
                    headers: ["amity-run-token: \(asked()[number - 1])"]
                )
                #expect(answer.status == 200, "\(answer.raw.body)")
            }
            return id
        }

        // MARK: Where it is looked for

        /// The message of a task that no worker takes, with its headers.
        private func message() throws -> String {
            let pool = "\(scene.pool)-kept"
            let broker = scene.tasks.scene.settings.endpoint
            defer { TaskQueue.deleteAll(of: pool, at: broker) }
            _ = try submit("kept", "waits")
            let name = TaskQueue(pool: pool, priority: .normal).name
            let queue = TestQueue(name: name, endpoint: broker)
            try eventually("it is published") { try queue.ready() == 1 }
            return try Self.text(queue.take(1)[0])
        }

        private static func text(_ message: Message) -> String {
            "\(message.properties) \(String(decoding: message.body, as: UTF8.self))"
        }

        /// What is served and what commands print, by where it stands.
        private func outputs(_ worker: RunningWorker) throws -> [String: String] {
            var outputs: [String: String] = [:]
            let bearer = ["Authorization: Bearer \(Self.token)"]
            for port in [scene.api.port, workerPort] {
                for path in [
                    "/health", "/health/live", "/health/ready", "/metrics", "/api/v1/stats/workers",
                    "/api/v1/stats/queues",
                ] {
                    let answer = try RawAnswer.get(path, port: port, headers: bearer)
                    #expect(answer.status == 200, "\(path) \(answer.body)")
                    outputs["\(path) on \(port)"] = answer.head + answer.body
                }
            }
            for arguments in [
                ["status"], ["status", "--json"], ["doctor", "--all"], ["doctor", "--json"],
                ["tasks", "list"], ["settings"], ["callbacks", "list"],
            ] {
                let result = try scene.tasks.scene.amity(arguments)
                // Operators see and choose by codes.
                outputs[arguments.joined(separator: " ")] =
                    (result.output + result.error).replacing("canary-code", with: "")
            }
            for process in [worker, scene.api.api] {
                let line = "/proc/\(process.processID)/cmdline"
                outputs[line] = try String(contentsOfFile: line, encoding: .utf8)
            }
            return outputs
        }

        /// Faults: a user's text in a log, in a message on the broker, in an event, a metric's
        /// label or a page for operators; a key that opens something there.
        @Test func whatATaskIsGivenAndAnswersIsWrittenNowhereElse() throws {
            try quoteRows()
            var tail = try ExchangeTail(
                of: EventTopics.exchange,
                matching: ["#"],
                at: scene.tasks.scene.settings.endpoint,
                logger: quiet
            )
            let worker = try scene.startWorker(
                of: Command.amity,
                ["HTTP_PORT": "\(workerPort)"]
            )
            let planted = try plant() + [(try report(), nil)]
            try sendMistakes()
            for (id, code) in planted {
                try scene.wait(for: id, toBe: code == nil ? .completed : .failed)
                let found = try scene.error(of: id).code
                #expect(found == code, "\(id)")
            }
            try eventually("receivers were told, in vain") {
                service.requests.count { $0.path.hasPrefix("/hook") } >= 2
                    && worker.events("task.retry-scheduled").contains {
                        $0["type"] as? String == "amity.callback"
                    }
            }
            var outputs = try outputs(worker)
            outputs["a message"] = try message()
            var events: [String] = []
            while let event = try tail.next(within: .seconds(1)) { events.append(Self.text(event)) }
            outputs["events"] = events.joined(separator: "\n")
            worker.signal(SIGTERM)
            #expect(try worker.waitForExit() == 0)
            outputs["the worker's log"] = worker.log
            outputs["the API's log"] = scene.api.api.log

            try expectThatItWasThere(events.count, worker)
            let tokens = service.requests.compactMap { $0.headers["amity-run-token"] }
            for (place, text) in outputs {
                for secret in ["canary", String(Self.key.dropFirst(6))] + tokens {
                    #expect(!text.contains(secret), "\(secret) in \(place)")
                }
            }
        }

        /// What is to be found nowhere else is where it belongs.
        private func expectThatItWasThere(_ events: Int, _ worker: RunningWorker) throws {
            #expect(events >= 3 * 14)
            #expect(worker.events("task.failed").count >= 9)
            #expect(service.requests.contains { $0.body.contains("canary-payload") })
            let stored = try scene.sql(
                "SELECT string_agg(data::text, ' ') FROM amity_task_data AS data"
            )
            let text = try #require(stored.string(0, 0))
            for word in ["payload", "result", "error", "note", "tag", "body", "query"] {
                #expect(text.contains("canary-\(word)"), "canary-\(word)")
            }
        }
    }
}
