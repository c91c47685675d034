import Concurrency
import Foundation
import Settings
import TestSupport
import Testing

extension Integration {
    /// `amity status` and `amity health`, as an operator or a container sees them.
    struct StatusCommands {
        private func object(_ text: some StringProtocol) throws -> [String: Any] {
            let object = try JSONSerialization.jsonObject(with: Data(text.utf8))
            return try #require(object as? [String: Any])
        }

        /// The queue has no consumer. Three messages wait, one of them for its retry. One more was
        /// poison.
        private func plantedScene() throws -> (Scene, RunningWorker) {
            let scene = try Scene(settings: [
                "RETRY_BACKOFF_SECONDS": "600", "MONITOR_INTERVAL_SECONDS": "1",
            ])
            let worker = try scene.startWorker()
            try scene.publish([Array("poison".utf8)])
            try scene.publish(ids: #"unknown\u001b[31m"#)
            try eventually("both have failed") {
                !worker.events("message.dead-lettered").isEmpty
                    && !worker.events("message.retry-scheduled").isEmpty
            }
            worker.signal(SIGUSR1)
            try eventually("it is off its queue") { !worker.events("consumer.paused").isEmpty }
            try scene.publish(ids: "c1", "c2")
            try eventually("the alerts are raised") {
                try scene.statistics.queues().first?.alerts.map(\.name)
                    == [.deadLetters, .noConsumers]
            }
            try eventually("it has said so") {
                try scene.statistics.workers().first?.failures.count == 2
            }
            return (scene, worker)
        }

        /// Fault: an operator looks, and what is wrong is not there.
        @Test func saysWhatIsQueuedRunningAndFailing() throws {
            let (scene, worker) = try plantedScene()
            let result = try scene.amity(["status", "--json"])
            #expect(result.status == 0 && result.error.isEmpty, "\(result.error)")
            let status = try object(result.output)
            #expect(status["queued"] as? Int == 2 && status["running"] as? Int == 0)
            #expect(status["failing"] as? Int == 1 && status["is_complete"] as? Bool == true)
            #expect(status["dead_letters_by_code"] as? [String: Int] == ["INVALID_MESSAGE": 1])
            #expect((status["problems"] as? [String])?.isEmpty == true)
            let queue = try #require(status["queue"] as? [String: Any])
            #expect(queue["consumers"] as? Int == 0 && queue["dead_letters"] as? Int == 1)
            let alerts = try #require(queue["alerts"] as? [[String: Any]])
            #expect(alerts.map { $0["name"] as? String } == ["dead_letters", "no_consumers"])
            let workers = try #require(status["workers"] as? [[String: Any]])
            #expect(workers.map { $0["process_id"] as? Int } == [Int(worker.processID)])
            #expect(workers[0]["state"] as? String == "not-ready")
            #expect(workers[0]["reasons"] as? [String] == ["intake is switched off"])
            let failures = try #require(status["failures"] as? [[String: Any]])
            #expect(
                Set(failures.map { $0["code"] as? String })
                    == ["INVALID_MESSAGE", "CONVERSATION_NOT_FOUND"]
            )
            #expect(try scene.deadLetters.ready() == 1, "looked at, not taken")
        }

        @Test func showsATableThatNoIDCanUpset() throws {
            let (scene, worker) = try plantedScene()
            let table = try scene.amity(["status"]).output
            #expect(
                table.contains("queued 2   running 0   failing 1 (1 for 600 s)   dead letters 1")
            )
            #expect(table.contains("ALERT no_consumers 0, for "))
            #expect(table.contains("ALERT dead_letters 1 of 1, for "))
            #expect(table.contains(":\(worker.processID)  \(amityVersion)"))
            #expect(table.contains("not ready: intake is switched off"))
            #expect(table.contains(":\(worker.processID): paused by SIGUSR1 for "))
            #expect(table.contains("; kill -USR2 \(worker.processID) on "))
            #expect(table.contains(#"unknown\u{1B}[31m"#) && !table.contains("\u{1B}"))
            #expect(table.contains("1  INVALID_MESSAGE"))
        }

        /// Fault: one server is away, which is when one looks, and the command only says so.
        @Test func showsWhatItCanWhereTheBrokerOrTheDatabaseIsAway() throws {
            let (scene, worker) = try plantedScene()
            let noBroker = try scene.amity(
                ["status", "--json"],
                ["RABBITMQ_URL": "amqp://guest:guest@127.0.0.1:1/"]
            )
            #expect(noBroker.status == 69)
            let fromDatabase = try object(noBroker.output)
            #expect((fromDatabase["workers"] as? [Any])?.count == 1)
            #expect(fromDatabase["queued"] as? Int == 2, "as the monitor saw it last")
            let problems = try #require(fromDatabase["problems"] as? [String])
            #expect(problems.count == 1 && problems[0].hasPrefix("broker: connect"))
            let noDatabase = try scene.amity(
                ["status", "--json"],
                ["DATABASE_URL": "postgresql://absent@127.0.0.1:1/none"]
            )
            #expect(noDatabase.status == 69)
            let fromBroker = try object(noDatabase.output)
            #expect(fromBroker["queued"] as? Int == 2 && fromBroker["failing"] as? Int == 1)
            #expect(fromBroker["workers"] == nil)
            let named = try #require(fromBroker["problems"] as? [String])
            #expect(named.count == 1 && named[0].hasPrefix("database: connect"))
            #expect(worker.isRunning)
        }

        @Test func worksWhereNothingWasMigrated() throws {
            let scene = try Scene(.python)
            try scene.settings.topology.ensure(at: scene.settings.endpoint, logger: quiet)
            try scene.publish(ids: "c1")
            let result = try scene.amity(["status", "--json"])
            #expect(result.status == 0)
            let status = try object(result.output)
            #expect(status["queued"] as? Int == 1 && status["workers"] == nil)
            let problems = try #require(status["problems"] as? [String])
            #expect(problems.count == 1 && problems[0].contains("amity migrate"))
        }

        /// Fault: a queue that is not there looks like one with nothing in it.
        @Test func namesAQueueThatIsNotThere() throws {
            let scene = try Scene()
            let status = try object(try scene.amity(["status", "--json"]).output)
            #expect(status["problems"] as? [String] == ["broker: there is no queue \(scene.name)"])
        }

        // MARK: Watching

        /// Fault: a live view leaves the terminal without its cursor, or does not end.
        @Test(arguments: [SIGINT, SIGTERM])
        func aLiveViewRedrawsAndRestoresTheTerminal(number: Int32) throws {
            let scene = try Scene()
            try scene.settings.topology.ensure(at: scene.settings.endpoint, logger: quiet)
            let terminal = try PseudoTerminal()
            let status = try scene.start(["status", "--watch", "1"], on: terminal)
            try eventually("two frames") {
                terminal.output.ranges(of: "\u{1B}[H\(scene.name) at ").count >= 2
            }
            #expect(terminal.output.hasPrefix("\u{1B}[?1049h\u{1B}[?25l"))
            kill(status.processIdentifier, number)
            try eventually("it ends") { !status.isRunning }
            #expect(status.terminationStatus == (number == SIGINT ? 0 : 128 + number))
            try eventually("the terminal is as it was") {
                terminal.output.hasSuffix("\u{1B}[?25h\u{1B}[?1049l")
            }
        }

        /// Fault: escape codes in a file.
        @Test func elsewhereOneReportFollowsTheOther() throws {
            let scene = try Scene()
            try scene.settings.topology.ensure(at: scene.settings.endpoint, logger: quiet)
            let file = try TemporaryFile()
            let status = try scene.start(["status", "--json", "--watch", "1"], on: file.handle)
            try eventually("two reports") { file.content.split(separator: "\n").count >= 2 }
            kill(status.processIdentifier, SIGINT)
            try eventually("it ends") { !status.isRunning }
            let first = try #require(file.content.split(separator: "\n").first)
            #expect(try object(first)["queued"] as? Int == 0)
        }

        // MARK: Health

        private func health(_ arguments: [String], _ port: UInt16, host: String = "127.0.0.1")
            throws -> Command.Result
        {
            try Command.run(
                Command.amity,
                ["health"] + arguments,
                // Without a token the settings allow no other address than loopback.
                environment: [
                    "HTTP_PORT": "\(port)", "HTTP_HOST": host,
                    "HTTP_TOKEN": "a-token-of-the-test",
                ]
            )
        }

        @Test func healthSaysWhatTheWorkerSays() throws {
            let isReady = Locked(true)
            let worker = try HTTPStub { path in
                if path == "/health/live" { return .init(body: #"{"status":"alive"}"#) }
                if path != "/health/ready" { return .init(status: 404) }
                if isReady.withLock({ $0 }) {
                    return .init(body: #"{"status":"ready","reasons":[]}"#)
                }
                let reasons = #""reasons":["the database is away","draining"]"#
                let problems = #""problems":[{"link":"database","kind":"away","code":"57P03"}]"#
                return .init(
                    status: 503,
                    body: #"{"status":"not ready",\#(reasons),\#(problems)}"#
                )
            }
            let ready = try health([], worker.port)
            #expect(ready.status == 0 && ready.output == "ready\n")
            isReady.withLock { $0 = false }
            let notReady = try health([], worker.port)
            #expect(notReady.status == 1)
            #expect(
                notReady.error
                    == "amity: not ready: the database is away, draining; database away (57P03)\n"
            )
            let live = try health(["--live"], worker.port)
            #expect(live.status == 0 && live.output == "alive\n")
        }

        /// Fault: the worker listens on every address, and the check asks at one that is none.
        @Test func healthAsksAnyAddressOnThisHost() throws {
            let worker = try HTTPStub { _ in .init(body: #"{"status":"ready"}"#) }
            #expect(try health([], worker.port, host: "0.0.0.0").status == 0)
            #expect(try health([], worker.port, host: "localhost").status == 0)
            for (host, asked) in [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::2", "[::2]")] {
                let error = try health([], 1, host: host).error
                #expect(error.hasPrefix("amity: no answer from http://\(asked):1/"), "\(error)")
            }
        }

        /// Fault: a check that hangs, or that takes silence for health.
        @Test func noAnswerIsNoHealth() throws {
            let silent = try HTTPStub { _ in nil }
            let hanging = try health(["--timeout", "1"], silent.port)
            #expect(
                hanging.status == 1 && hanging.error.contains("no answer from http://127.0.0.1")
            )
            let refused = try health([], 1)
            #expect(refused.status == 1 && refused.error.hasSuffix(": Connection refused\n"))
            let byName = try health([], 1, host: "localhost")
            #expect(byName.error.hasSuffix(": Connection refused\n"))
            let off = try health([], 0)
            #expect(off.status == 1 && off.error.contains("HTTP_PORT is 0"))
            let broken = try HTTPStub { _ in .init(status: 500, body: "oops") }
            #expect(try health([], broken.port).error == "amity: HTTP status 500\n")
        }
    }
}
