import Foundation
import Messaging
import Testing

@testable import Postgres

extension Integration {
    /// Databases that are not as the worker would make them, and rows that should not be.
    struct OddDatabases {
        /// Fault: the column takes two spellings for one user, the worker takes them for two:
        /// conversations with an agent, and those in a batch, are never scored, without a word.
        @Test(arguments: ["citext", "collation"])
        func aUserInAnotherSpellingIsScored(kind: String) throws {
            let scene = try Scene()
            if kind == "citext" {
                try scene.sql("CREATE EXTENSION citext SCHEMA \(scene.name)")
                for table in ["friendship_status", "conversation_events"] {
                    try scene.sql("ALTER TABLE \(table) ALTER user_id TYPE citext")
                }
            } else {
                try scene.sql(
                    """
                    CREATE COLLATION alike (provider = icu, locale = 'und-u-ks-level2',
                        deterministic = false)
                    """
                )
                try scene.sql(
                    "ALTER TABLE friendship_status ALTER user_id TYPE varchar(255) COLLATE alike"
                )
            }
            try scene.sql(
                """
                INSERT INTO friendship_status (user_id, friendship_score, topic_metrics)
                VALUES ('anna', 10, '{"topic": {"score": 5, "turns": 5}}')
                """
            )
            try scene.sql(
                """
                INSERT INTO agenda_agent_prompting
                    (topic_id, agent_id, talking_agenda, friendship_level, agent_type)
                VALUES ('topic', 'agent', '', 'PHASE1_STRANGER', '')
                """
            )
            try scene.addConversation("alone", user: "Anna")
            try scene.addConversation("agent", user: "ANNA", agent: "agent")
            for number in 0..<4 { try scene.addConversation("a\(number)", user: "aNNa") }
            try scene.publish(ids: ["alone", "agent"] + (0..<4).map { "a\($0)" })
            let worker = try scene.startWorker(["MESSAGE_CONCURRENCY_PER_WORKER": "1"])
            try eventually("all are scored") { try scene.count("status = 'PROCESSED'") == 6 }
            let users = try scene.sql(
                """
                SELECT user_id, friendship_score, topic_metrics -> 'topic' ->> 'score'
                FROM friendship_status
                """
            )
            #expect(users.count == 1)
            #expect(users.string(0, 0) == "anna")
            #expect(users.double(0, 1) == 16)
            #expect(users.double(0, 2) == 6)
            // Its topic is read with the events now, as an agent is expected.
            try scene.addConversation("again", user: "annA", agent: "agent")
            try scene.addConversations(3)
            try scene.publish(ids: ["again"] + (0..<3).map { "c\($0)" })
            try eventually("all are scored") { try scene.count("status = 'PROCESSED'") == 10 }
            let topic = try scene.sql(
                """
                SELECT topic_metrics -> 'topic' ->> 'score' FROM friendship_status
                WHERE user_id = 'anna'
                """
            )
            #expect(topic.double(0, 0) == 7)
            withExtendedLifetime(worker) {}
            // What works is no reason to stop a deploy.
            let found = try scene.report([:]).findings.filter {
                ["schema", "keys"].contains($0.check)
            }
            #expect(Set(found.map { "\($0.level) \($0.check)" }) == ["note keys"])
        }

        /// Fault: scores that are no numbers, columns that are null, and rows that are there twice
        /// are counted as 0, never scored, or called "not readable JSON".
        @Test func whatIsWrongWithARowIsSaidOfIt() throws {
            let scene = try Scene()
            for change in [
                "ALTER status DROP NOT NULL", "ALTER user_id DROP NOT NULL",
                "DROP CONSTRAINT conversation_events_conversation_id_key",
            ] { try scene.sql("ALTER TABLE conversation_events \(change)") }
            try scene.sql("ALTER TABLE friendship_status DROP CONSTRAINT friendship_status_pkey")
            try scene.sql(
                """
                INSERT INTO friendship_status (user_id, friendship_score, topic_metrics) VALUES
                    ('nan', 'NaN', '{}'), ('infinite', 'Infinity', '{}'), ('double', 1, '{}'),
                    ('double', 2, '{}'), ('good', 0, '{}'),
                    ('topic', 1, '{"topic": {"score": "NaN"}}')
                """
            )
            try scene.sql(
                """
                INSERT INTO agenda_agent_prompting
                    (topic_id, agent_id, talking_agenda, friendship_level, agent_type)
                VALUES ('topic', 'agent', '', 'PHASE1_STRANGER', '')
                """
            )
            for user in ["nan", "infinite", "double"] {
                try scene.addConversation(user, user: user)
            }
            try scene.addConversation("topic", user: "topic", agent: "agent")
            for id in ["twice", "twice", "stateless", "no user", "good"] {
                try scene.addConversation(id, user: "good")
            }
            try scene.sql(
                "UPDATE conversation_events SET status = NULL WHERE conversation_id = 'stateless'"
            )
            try scene.sql(
                "UPDATE conversation_events SET user_id = NULL WHERE conversation_id = 'no user'"
            )
            let worker = try scene.startWorker()
            try scene.publish(
                ids: "nan",
                "infinite",
                "double",
                "topic",
                "twice",
                "stateless",
                "no user",
                "good"
            )
            let deadLetters = try scene.deadLetters.take(6)
            let reasons = Set(deadLetters.map { $0.header(HeaderName.reason) })
            #expect(
                reasons == [
                    "friendship_status: friendship_score is not a finite number",
                    "friendship_status: several rows have this user_id, or the event is there "
                        + "twice",
                    "friendship_status: the score of a topic in topic_metrics is not a finite "
                        + "number",
                    "conversation_events: several rows have this conversation_id",
                    "conversation_events: user_id is null",
                ]
            )
            #expect(
                Set(deadLetters.map { $0.header(HeaderName.code) })
                    == ["INVALID_EVENT", "INVALID_FRIENDSHIP"]
            )
            try eventually("the others are scored") { try scene.count("status = 'PROCESSED'") == 2 }
            withExtendedLifetime(worker) {}
        }

        /// Fault: a worker that is slow between two statements of a transaction loses its session,
        /// begins again, and never gets to the end: "database away", with nothing done.
        @Test(.withoutPooler) func aWorkerThatIsSlowInATransactionIsSlowAndNotStuck() throws {
            let scene = try Scene()
            let item = #"{"speaker":"user","turn_id":1,"text":"abc"}"#
            let log = "[" + Array(repeating: item, count: 8000).joined(separator: ",") + "]"
            for number in 0..<16 { try scene.addConversation("c\(number)", log: log) }
            try scene.publish(ids: (0..<16).map { "c\($0)" })
            let url = try #require(scene.variables["DATABASE_URL"])
            let worker = try scene.startWorker([
                "MESSAGE_CONCURRENCY_PER_WORKER": "1", "LLM_ANALYSIS_ENABLED": "false",
                "DATABASE_URL": url + "%20-cidle_in_transaction_session_timeout%3D15ms",
            ])
            try eventually("all are done") { try scene.count("status = 'PROCESSED'") == 16 }
            #expect(worker.events("conversation.slow").count == 1)
            #expect(worker.events("database.unavailable").isEmpty)
            #expect(try scene.count("attempt_count = 1") == 16)
        }

        /// Fault: a batch takes as many logs as there are messages, however large they are.
        @Test func largeLogsMakeSmallBatches() throws {
            let scene = try Scene()
            let ids = (0..<48).map { "c\($0)" }
            try scene.addConversations(48)
            try scene.sql(
                """
                UPDATE conversation_events SET conversation_log = (
                    '[{"character":"USER","content":"' || repeat('a', 2 << 20) || '"}]')::json
                """
            )
            // Queued first, so that the one thread finds them all.
            try scene.publish(ids: ids)
            let worker = try scene.startWorker([
                "MESSAGE_CONCURRENCY_PER_WORKER": "1", "BATCH_MAX": "32",
                "LLM_ANALYSIS_ENABLED": "false",
            ])
            try eventually("all are done") { try scene.count("status = 'PROCESSED'") == 48 }
            // A transaction's rows have its time. How large logs are is known from the second one
            // on.
            let batches = try scene.sql(
                """
                SELECT count(*) FROM conversation_events GROUP BY processed_at ORDER BY processed_at
                """
            )
            let counts = (0..<batches.count).compactMap { batches.integer($0, 0) }
            #expect(counts.dropFirst().allSatisfy { $0 <= 8 }, "\(counts)")
            #expect(counts.count > 2, "\(counts)")
            withExtendedLifetime(worker) {}
        }

        /// Fault: the server ends sessions that idle. The next message finds it out: an error, and
        /// not ready.
        @Test(.withoutPooler) func aSessionThatDiedIdleIsReplacedWithoutAWord() throws {
            let scene = try Scene()
            try scene.addConversations(3)
            let url = try #require(scene.variables["DATABASE_URL"])
            let worker = try scene.startWorker([
                "DATABASE_URL": url + "%20-cidle_session_timeout%3D600ms",
                "LOG_LEVEL": "info",
            ])
            try worker.waitUntilConsuming()
            for number in 0..<3 {
                let ended = try Servers.postgresLogCount(
                    "terminating connection due to idle-session"
                )
                try eventually("a session has ended") {
                    try Servers.postgresLogCount("terminating connection due to idle-session")
                        > ended
                }
                try scene.publish(ids: "c\(number)")
                try eventually("it is scored") {
                    try scene.count("status = 'PROCESSED'") == number + 1
                }
            }
            #expect(worker.events("database.unavailable").isEmpty)
            #expect(worker.events("worker.not-ready").isEmpty)
        }

        /// Fault: PGTZ, or options in the URL, make the session's time zone another: columns
        /// without a zone get local time.
        @Test(arguments: [true, false])
        func theTimeZoneCannotBeOverridden(byEnvironment: Bool) throws {
            let scene = try Scene(.pythonNaive)
            try scene.addConversation("c0")
            let url = try #require(scene.variables["DATABASE_URL"])
            let worker = try scene.startWorker(
                byEnvironment
                    ? ["PGTZ": "Asia/Ho_Chi_Minh"]
                    : ["DATABASE_URL": url + "%20-cTimeZone%3DAsia%2FHo_Chi_Minh"]
            )
            try scene.publish(ids: "c0")
            try eventually("it is scored") { try scene.count("status = 'PROCESSED'") == 1 }
            let isNow = "abs(extract(epoch FROM processed_at - now() AT TIME ZONE 'UTC')) < 600"
            #expect(try scene.count(isNow) == 1)
            withExtendedLifetime(worker) {}
        }

        /// Fault: everything that keeps the database from taking conversations is called "away".
        @Test(arguments: [
            (
                "REVOKE UPDATE ON friendship_status FROM",
                "the schema is not as Amity needs it", "deploy/grants.sql"
            ),
            ("ALTER ROLE", "the database refuses the worker", "DATABASE_SESSIONS_MAX"),
        ])
        func whatKeepsTheDatabaseFromWorkIsNamedWithItsRemedy(
            change: String,
            reason: String,
            remedy: String
        ) throws {
            let scene = try Scene()
            let isLimit = change.hasPrefix("ALTER")
            try scene.sql("\(change) \(scene.name)" + (isLimit ? " CONNECTION LIMIT 0" : ""))
            let worker = try scene.startWorker()
            try eventually("it says why") {
                worker.events("worker.not-ready").contains { "\($0)".contains(reason) }
            }
            #expect(
                worker.events("database.unavailable").contains {
                    "\($0["remedy"] ?? "")".contains(remedy)
                }
            )
            try scene.sql(
                isLimit
                    ? "ALTER ROLE \(scene.name) CONNECTION LIMIT -1"
                    : "GRANT UPDATE ON friendship_status TO \(scene.name)"
            )
            try eventually("it is ready") { !worker.events("worker.ready").isEmpty }
        }

        /// Fault: after a failover the old primary comes back as a standby, first in the list, and
        /// the worker takes it for ever.
        @Test(.withoutPooler) func ofSeveralHostsTheOneThatWritesIsTaken() throws {
            let scene = try Scene()
            let url = try #require(scene.variables["DATABASE_URL"])
            let port = try Servers.port("DATABASE_URL")
            let address = "127.0.0.1:\(port)"
            let several = url.replacing("@\(address)/", with: "@\(address),\(address)/")
            try scene.alterRole("SET default_transaction_read_only = on")
            func isConnected(_ url: String) throws -> Bool {
                let target = try #require(ConnectionTarget(url: url))
                do throws(PostgresError) {
                    var session = try Session(to: target, applicationName: "test")
                    _ = try session.flight([(Statement("one", "SELECT 1"), [])])
                    return true
                } catch {
                    #expect(error.kind == .unavailable && error.isFromConnecting)
                    return false
                }
            }
            #expect(try isConnected(url))
            #expect(try !isConnected(several))
            #expect(try isConnected("\(several)&target_session_attrs=any"))
        }
    }
}
