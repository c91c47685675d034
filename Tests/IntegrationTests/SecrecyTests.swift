import Foundation
import TestSupport
import Testing

extension Integration {
    /// What children say, and what opens doors, is planted wherever a worker reads it, and looked
    /// for in everything that a worker and its commands write.
    struct Secrecy {
        private static let phrase = "canary-phrase-8271"
        private static let brokerPassword = "canary-broker-8272"
        private static let databasePassword = "canary-database-8273"
        private static let token = "canary-token-8274-long-enough"
        private static let key = "canary-key-8275"
        private static let all = [phrase, brokerPassword, databasePassword, token, key]

        private let port = RawConnection.freePort()

        private static let log = """
            [{"speaker":"pika","turn_id":1,"text":"\(phrase)"},
             {"speaker":"user","turn_id":2,"text":"Why \(phrase)?"}]
            """

        /// Everything secret goes by the environment, as it does for most.
        private func secrets(in scene: Scene) throws -> [String: String] {
            let broker = "127.0.0.1:\(try Servers.port("RABBITMQ_URL"))/%2F"
            let database = try #require(scene.variables["DATABASE_URL"])
            return [
                "RABBITMQ_URL": "amqp://\(scene.name):\(Self.brokerPassword)@\(broker)",
                "DATABASE_URL": database.replacing(
                    "\(scene.name)@",
                    with: "\(scene.name):\(Self.databasePassword)@",
                    maxReplacements: 1
                ),
                "HTTP_PORT": "\(port)", "HTTP_TOKEN": Self.token,
                // No service listens there.
                "LLM_ANALYSIS_ENABLED": "true", "LLM_BASE_URL": "http://127.0.0.1:9/v1",
                "LLM_MODEL": "m", "LLM_API_KEY": Self.key, "MEMORY_API_URL": "http://127.0.0.1:9",
            ]
        }

        /// Conversations that can be scored, and such that fail in every way that has a text in
        /// hand.
        private func plant(in scene: Scene) throws {
            try scene.addConversation("fine", log: Self.log)
            try scene.addConversation("no list", log: #"{"text":"\#(Self.phrase)"}"#)
            try scene.addConversation(
                "no text",
                log: #"[{"character":"USER","content":{"said":"\#(Self.phrase)"}}]"#
            )
            for id in ["raises", "violates", "builds", "slow"] {
                try scene.addConversation(id, log: Self.log)
            }
            // The server's own words quote the row.
            try scene.sql(
                """
                CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    IF NEW.status <> 'PROCESSED' THEN RETURN NEW; END IF;
                    CASE NEW.conversation_id
                        WHEN 'raises' THEN RAISE EXCEPTION 'said %', NEW.conversation_log::text;
                        WHEN 'violates' THEN
                            RAISE EXCEPTION 'said' USING ERRCODE = 'check_violation',
                                DETAIL = NEW.conversation_log::text;
                        WHEN 'builds' THEN
                            EXECUTE format('SELECT %I', NEW.conversation_log -> 0 ->> 'text');
                        WHEN 'slow' THEN PERFORM pg_sleep(5);
                        ELSE NULL;
                    END CASE;
                    RAISE NOTICE 'said %', NEW.conversation_log::text;
                    RETURN NEW;
                END $$
                """
            )
            try scene.sql(
                """
                CREATE TRIGGER fail BEFORE UPDATE ON conversation_events
                FOR EACH ROW EXECUTE FUNCTION fail()
                """
            )
        }

        private func publish(to scene: Scene) throws {
            try scene.publish(
                ids: "fine",
                "no list",
                "no text",
                "raises",
                "violates",
                "builds",
                "slow",
                "nowhere"
            )
            try scene.publish([
                Array(Self.phrase.utf8),
                Array(#"{"conversation_id":7,"x":"\#(Self.phrase)"}"#.utf8),
                Array(#"{"conversation_id":"fine","conversation_log":"\#(Self.phrase)"}"#.utf8),
            ])
        }

        /// What the commands print, and what is served, as a dictionary by where it stands.
        private func outputs(_ scene: Scene, _ secrets: [String: String]) throws -> [String: String]
        {
            var outputs: [String: String] = [:]
            for arguments in [
                ["status"], ["status", "--json"], ["doctor", "--all"], ["doctor", "--json"],
                ["dead-letters", "list"], ["dead-letters", "list", "--json"],
                ["dead-letters", "show", "raises"], ["dead-letters", "list", "--look-into-queue"],
                ["dead-letters", "retry", "--dry-run"],
                ["explain", "fine"], ["explain", "raises", "--json"], ["explain", "nowhere"],
                ["explain", "builds"],
                ["settings"], ["worker", "--help"], ["migrate", "--topology"], ["health"],
                ["publish", "--file", "/nowhere"],
            ] {
                let result = try scene.amity(arguments, secrets)
                outputs[arguments.joined(separator: " ")] = result.output + result.error
            }
            let bearer = "Authorization: Bearer \(Self.token)"
            for path in [
                "/health/live", "/health/ready", "/metrics", "/api/v1/stats/workers",
                "/api/v1/stats/queues", "/api/v1/stats/history", "/api/v1/dead-letters", "/",
                "/api/v1/worker", "/api/v1/users/user/dead-letters",
                "/api/v1/conversations/fine/explanation",
                "/api/v1/conversations/raises/explanation",
                "/api/v1/conversations/builds/explanation",
            ] {
                let answer = try RawAnswer.get(path, port: port, headers: [bearer])
                #expect(answer.status == 200 || answer.status == 303, "\(path)")
                outputs[path] = answer.body
            }
            outputs["a wrong token"] =
                try RawAnswer.get(
                    "/metrics",
                    port: port,
                    headers: ["Authorization: Bearer \(Self.token)x"]
                ).body
            return outputs
        }

        /// Faults: a child's words in the log of the night, in an error that a database words, in a
        /// metric's label; a password in a process list, a report, a complaint about a broker.
        @Test func whatIsSaidAndWhatOpensDoorsIsWrittenNowhere() throws {
            let scene = try Scene(settings: ["MAX_ATTEMPTS": "2", "TASK_TIMEOUT_SECONDS": "1"])
            try plant(in: scene)
            try Servers.rabbitmqctl("add_user", scene.name, Self.brokerPassword)
            try Servers.rabbitmqctl("set_permissions", scene.name, ".*", ".*", ".*")
            defer {
                do {
                    try Servers.rabbitmqctl("delete_user", scene.name)
                } catch { Issue.record(error, "a user is left over") }
            }
            let secrets = try secrets(in: scene)
            let worker = try scene.startWorker(secrets)
            try worker.waitUntilConsuming()
            try publish(to: scene)
            try eventually("all that fails is buried", within: .seconds(60)) {
                try scene.deadLetters.ready() == 9
            }
            var outputs = try outputs(scene, secrets)
            outputs["the process list"] = try String(
                contentsOfFile: "/proc/\(worker.processID)/cmdline",
                encoding: .utf8
            )
            // The links break, too, and the broker refuses the password.
            _ = try scene.killSessions()
            try Servers.rabbitmqctl("change_password", scene.name, "another")
            try Servers.rabbitmqctl("close_all_connections", "canary")
            try eventually("it is refused", within: .seconds(30)) {
                worker.log.contains("ACCESS_REFUSED")
            }
            let refused = try scene.amity(["migrate", "--topology"], secrets)
            #expect(refused.status == 69)
            outputs["refused"] = refused.output + refused.error
            let wrong = try scene.amity(
                ["doctor"],
                secrets.merging(["RABBITMQ_URL": "amqp://u:\(Self.brokerPassword)@h:x/"]) { $1 }
            )
            #expect(wrong.status == 78)
            outputs["wrong settings"] = wrong.output + wrong.error
            worker.signal(SIGTERM)
            _ = try worker.waitForExit()
            outputs["the log"] = worker.log
            let rows = try scene.sql("SELECT entry::text FROM amity_dead_letters AS entry")
            #expect(rows.count == 9)
            outputs["the dead letters' rows"] = (0..<rows.count)
                .map { rows.string($0, 0) ?? "" }.joined(separator: "\n")

            // They were there to be found.
            #expect(worker.log.contains("message.dead-lettered"))
            #expect(try scene.count("conversation_log::text LIKE '%\(Self.phrase)%'") == 7)
            for (place, text) in outputs {
                for secret in Self.all { #expect(!text.contains(secret), "\(secret) in \(place)") }
            }
            for event in ["error_details", "score_calculation_details::text"] {
                #expect(try scene.count("\(event) LIKE '%canary%'") == 0, "\(event)")
            }
        }
    }
}
