import Messaging
import Postgres
import TestSupport
import Testing

@testable import Conversations

extension Integration {
    /// Conversations that are settled one by one, and read several at a time.
    struct ReadingAhead {
        let threads: Contention
        var scene: Scene { threads.scene }

        init() throws { threads = try Contention(batchLimit: 1) }

        /// Has a log that is read run something before.
        private func makeEachRead(_ body: String) throws {
            try scene.sql(
                """
                CREATE FUNCTION unpacked(id text, log jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
                BEGIN \(body) RETURN log; END $$
                """
            )
            let columns = try scene.sql(
                """
                SELECT string_agg(CASE column_name WHEN 'conversation_log'
                    THEN 'unpacked(conversation_id::text, conversation_log) AS conversation_log'
                    ELSE column_name::text END, ', ' ORDER BY ordinal_position)
                FROM information_schema.columns
                WHERE table_schema = current_schema AND table_name = 'conversation_events'
                """
            )
            try scene.sql("ALTER TABLE conversation_events RENAME TO kept_events")
            try scene.sql(
                """
                CREATE VIEW conversation_events AS
                SELECT \(try #require(columns.string(0, 0))) FROM kept_events
                """
            )
            try scene.sql("GRANT SELECT, UPDATE ON conversation_events TO PUBLIC")
        }

        /// Fault: what others write between the read and the write is lost, or counts twice; or a
        /// user comes into being of whom nothing counts.
        @Test func whatOthersChangeBetweenIsSeen() throws {
            let ids = ["a", "scored", "settled", "deleted", "made", "taken", "mended", "as it was"]
            for id in ids.dropLast(2) { try scene.addConversation(id, user: id) }
            try scene.addConversation("mended", user: "mended", log: "{}")
            try scene.addConversation("as it was", user: "as it was")
            try scene.sql("INSERT INTO friendship_status (user_id) VALUES ('scored')")
            #expect(threads.handle(["a"], upcoming: ids) == [.done])

            try scene.sql(
                "UPDATE friendship_status SET friendship_score = 41 WHERE user_id = 'scored'"
            )
            try scene.sql("INSERT INTO friendship_status VALUES ('made', 7)")
            try scene.sql("DELETE FROM conversation_events WHERE conversation_id = 'deleted'")
            try scene.sql(
                """
                UPDATE conversation_events SET status = 'PROCESSED'
                WHERE conversation_id = 'settled'
                """
            )
            try scene.sql(
                """
                UPDATE conversation_events SET user_id = 'scored' WHERE conversation_id = 'taken'
                """
            )
            try scene.sql(
                """
                UPDATE conversation_events SET conversation_log = $1::jsonb
                WHERE conversation_id IN ('mended', 'as it was')
                """,
                .text(#"[{"speaker":"user"},{"speaker":"user"},{"speaker":"user"}]"#)
            )
            #expect(threads.handle(["as it was"]) == [.done])
            #expect(try scene.score(of: "as it was") == 1, "it was read before")
            #expect(threads.handle(["scored"]) == [.done])
            #expect(try scene.score(of: "scored") == 42)
            #expect(threads.handle(["made"]) == [.done])
            #expect(try scene.score(of: "made") == 8)
            #expect(threads.handle(["settled"]) == [.duplicate])
            let deleted = threads.handle(["deleted"])
            if case .retry = deleted[0] {} else { Issue.record("\(deleted)") }
            #expect(threads.handle(["taken"]) == [.done])
            #expect(try scene.score(of: "scored") == 43)
            #expect(threads.handle(["mended"]) == [.done], "no write checks a verdict of failure")
            for user in ["settled", "deleted", "taken"] {
                #expect(try scene.score(of: user) == nil, "\(user)")
            }
        }

        /// Fault: a topic that others moved meanwhile goes back to what it was.
        @Test func aTopicThatOthersMoveBetweenIsSeen() throws {
            try scene.sql(
                """
                INSERT INTO agenda_agent_prompting
                    (topic_id, agent_id, talking_agenda, friendship_level, agent_type)
                VALUES ('topic', 'agent', 'of the topic', 'PHASE1_STRANGER', 'TALK')
                """
            )
            for id in ["first", "a", "b", "as it was"] {
                try scene.addConversation(id, user: id, agent: "agent")
            }
            // The first shows that there are agents.
            #expect(threads.handle(["first"]) == [.done])
            #expect(threads.handle(["a"], upcoming: ["b", "as it was"]) == [.done])
            try scene.sql(
                """
                INSERT INTO friendship_status (user_id, topic_metrics)
                VALUES ('b', '{"topic": {"score": 5, "turns": 3}}')
                """
            )
            try scene.sql(
                """
                UPDATE conversation_events SET conversation_log = '[{"speaker": "pika"}]'
                WHERE conversation_id = 'as it was'
                """
            )
            #expect(threads.handle(["as it was"]) == [.done])
            #expect(try scene.score(of: "as it was") == 1, "it was read before")
            #expect(threads.handle(["b"]) == [.done])
            let topic = try scene.sql(
                """
                SELECT topic_metrics #>> '{topic,score}', topic_metrics #>> '{topic,turns}'
                FROM friendship_status WHERE user_id = 'b'
                """
            )
            #expect(topic.double(0, 0) == 6)
            #expect(topic.integer(0, 1) == 4)
        }

        /// Fault: one row that cannot be read, or whose reading ends the session, fails those with
        /// which it is read along.
        @Test(arguments: [
            "RAISE 'cannot be unpacked' USING ERRCODE = '22023'",
            "PERFORM pg_terminate_backend(pg_backend_pid())",
        ])
        func oneThatCannotBeReadStopsNoOthers(end: String) throws {
            try scene.addConversation("bad", user: "bad")
            try scene.addConversations(40)
            try makeEachRead("IF id = 'bad' THEN \(end); END IF;")
            let ids = (0..<20).map { "c\($0)" } + ["bad"] + (20..<40).map { "c\($0)" }
            try scene.publish(ids: ids)
            let worker = try scene.startWorker([
                "MESSAGE_CONCURRENCY_PER_WORKER": "3", "BATCH_MAX": "1", "MAX_ATTEMPTS": "1",
            ])
            try eventually("the others are done") {
                try scene.count("status = 'PROCESSED'") == 40
            }
            if end.hasPrefix("RAISE") {
                try eventually("it is dead") { try scene.deadLetters.ready() == 1 }
                #expect(worker.events("database.unavailable").isEmpty)
            }
            let blamed = worker.events(["message.retry-scheduled", "message.dead-lettered"])
            #expect(blamed.allSatisfy { $0["subject"] as? String == "bad" })
            let sum = try scene.sql("SELECT sum(friendship_score)::int FROM friendship_status")
            #expect(sum.integer(0, 0) == 40)
        }

        /// Fault: what is out of date is read along again and again: of a user's
        /// conversations each reads the next thirty.
        @Test func conversationsOfOneUserAreReadAlongOnceAtMost() throws {
            let ids = (0..<40).map { "c\($0)" }
            for id in ids { try scene.addConversation(id) }
            try scene.sql("CREATE SEQUENCE reads")
            try scene.sql("GRANT USAGE ON SEQUENCE reads TO PUBLIC")
            try makeEachRead("PERFORM nextval('reads');")
            for (place, id) in ids.enumerated() {
                #expect(threads.handle([id], upcoming: Array(ids[(place + 1)...])) == [.done])
            }
            #expect(try scene.score() == 40)
            let reads = try scene.sql("SELECT last_value FROM reads")
            #expect(try #require(reads.integer(0, 0)) < 120)
        }

        /// Fault: each is read by itself; or those that come twice, or share a user, count twice.
        @Test(arguments: [1, 4]) func aBacklogIsReadSeveralAtATime(threads: Int) throws {
            let scene = try Scene()
            for number in 0..<200 { try scene.addConversation("u\(number)", user: "u\(number)") }
            try scene.addConversations(40)
            let ids = (0..<200).map { "u\($0)" } + (0..<40).map { "c\($0)" }
            try scene.publish(ids: ids + ids.shuffled().prefix(40))
            let port = RawConnection.freePort()
            let worker = try scene.startWorker([
                "MESSAGE_CONCURRENCY_PER_WORKER": "\(threads)", "BATCH_MAX": "1",
                "HTTP_PORT": "\(port)",
            ])
            try scene.expectEachToCountOnce(240, by: worker)
            let metrics = try RawAnswer.get("/metrics", port: port).body
            let reads = metrics.matches(of: /_count{statement="read_conversations"} (\d+)/)
                .compactMap { Int($0.1) }
            #expect(try #require(reads.first) < 200, "of 280 deliveries")
        }
    }
}
