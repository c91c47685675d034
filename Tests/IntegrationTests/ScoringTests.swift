import Foundation
import Testing

/// All tests with real servers, one after the other: some of them load both cores on purpose.
@Suite(.serialized) enum Integration {}

extension Integration {
    struct Scoring {
        /// Every column of the contract, on every kind of database there is.
        @Test(arguments: Scene.Tables.allCases)
        func scoresAConversationIntoEveryColumn(tables: Scene.Tables) throws {
            let scene = try Scene(tables)
            try scene.sql(
                """
                INSERT INTO agenda_agent_prompting
                    (topic_id, agent_id, talking_agenda, friendship_level, agent_type)
                VALUES ('later', 'agent-1', '', 'PHASE1_STRANGER', 'B'),
                       ('other', 'agent-1', '', 'PHASE2_ACQUAINTANCE', 'A')
                """
            )
            try scene.sql(
                """
                INSERT INTO agenda_agent_prompting
                    (id, topic_id, agent_id, talking_agenda, friendship_level, agent_type)
                VALUES (-1, 'topic', 'agent-1', '', 'PHASE1_STRANGER', 'A')
                """
            )
            try scene.sql(
                """
                INSERT INTO friendship_status (user_id, friendship_score, streak_day, topic_metrics,
                    last_emotion, last_followup_topic, last_interaction_date, updated_at)
                VALUES ('user', 499, 7, '{"topic": {"score": 49.5, "turns": 2, "kept": true}}',
                    'happy', 'followup', '2020-01-01', '2020-01-01')
                """
            )
            try scene.addConversation("c1", agent: "agent-1")
            try scene.sql(
                "UPDATE conversation_events SET error_code = 'OLD', error_details = 'old'"
            )
            let worker = try scene.startWorker()
            try scene.publish(ids: "c1")
            try eventually("c1 is processed") { try scene.count("status = 'PROCESSED'") == 1 }

            let event = try scene.sql(
                """
                SELECT attempt_count, friendship_score_change, new_friendship_level,
                    score_calculation_details = '{"total_turns": 1, "session_emotion": "neutral",
                        "user_initiated_questions": 0, "new_memories_count": 0,
                        "total_exchange_score": 1, "score_before": 499}'::jsonb,
                    abs(extract(epoch FROM processed_at::timestamp
                        - (now() AT TIME ZONE 'UTC'))) < 120,
                    next_attempt_at = processed_at, error_code IS NULL AND error_details IS NULL
                FROM conversation_events
                """
            )
            #expect(
                (0..<7).map { event.string(0, $0) } == [
                    "1", "1", "PHASE2_ACQUAINTANCE", "t", "t", "t", "t",
                ]
            )
            let user = try scene.sql(
                """
                SELECT friendship_score, friendship_level, streak_day, last_emotion,
                    last_followup_topic, abs(extract(epoch FROM last_interaction_date::timestamp
                        - (now() AT TIME ZONE 'UTC'))) < 120, updated_at > '2021-01-01',
                    topic_metrics - 'topic' = '{}'::jsonb,
                    topic_metrics -> 'topic' #- '{last_date}' = '{"score": 50.5, "turns": 3,
                        "friendship_level": "PHASE2_ACQUAINTANCE", "agents_used": ["bot-1"],
                        "kept": true}'::jsonb,
                    topic_metrics -> 'topic' ->> 'last_date' LIKE '20__-__-__T__:__:__Z'
                FROM friendship_status WHERE user_id = 'user'
                """
            )
            #expect(
                (0..<10).map { user.string(0, $0) } == [
                    "500", "PHASE2_ACQUAINTANCE", "7", "happy", "followup", "t", "t", "t", "t", "t",
                ]
            )
            withExtendedLifetime(worker) {}
        }

        @Test func scoresBothShapesEmptyLogsAndUsersWithoutARow() throws {
            let scene = try Scene(.pythonNaive)
            let api = #"[{"character":"BOT_X","content":"Hi"},{"character":"USER","content":"Hi"}]"#
            try scene.addConversation("standard", user: "a")
            try scene.addConversation("api", user: "b", log: api)
            try scene.addConversation("empty", user: "c", log: "[]")
            let worker = try scene.startWorker()
            try scene.publish(ids: "standard", "api", "empty")
            try eventually("all are processed") { try scene.count("status = 'PROCESSED'") == 3 }
            #expect(try scene.score(of: "a") == 1)
            #expect(try scene.score(of: "b") == 1)
            #expect(try scene.score(of: "c") == 0)
            withExtendedLifetime(worker) {}
        }

        /// Fault: a message delivered again, in one batch or in another, is scored again.
        @Test(arguments: [("1", "10"), ("32", "1")])
        func aConversationCountsOnceHoweverOftenItIsDelivered(
            batch: String,
            threads: String
        ) throws {
            let scene = try Scene()
            try scene.addConversation("c1")
            try scene.addConversation("c2")
            try scene.addConversation("skipped", user: "other", status: "SKIPPED")
            // Queued first: one thread finds them all and takes duplicates in one batch.
            for _ in 0..<5 { try scene.publish(ids: "c1", "c1", "c2", "c1", "skipped") }
            let worker = try scene.startWorker([
                "BATCH_MAX": batch, "MESSAGE_CONCURRENCY_PER_WORKER": threads,
            ])
            try eventually("every delivery is settled") { try scene.queue.isDrained() }
            worker.signal(SIGTERM)
            #expect(try worker.waitForExit() == 0)
            #expect(try scene.count("status = 'PROCESSED'") == 2)
            #expect(try scene.score() == 2)
            #expect(try scene.count("attempt_count = 1") == 2)
            // SKIPPED is a decision of another service: no effect, not even a row for the user.
            #expect(try scene.score(of: "other") == nil)
            #expect(try scene.count("status = 'SKIPPED' AND attempt_count = 0") == 1)
        }

        /// Fault: another session sets a conversation to SKIPPED while a worker scores it. It
        /// counts all the same, and the worker overwrites the decision; or the other conversations
        /// of the batch count twice.
        @Test(arguments: [1, 32], [false, true])
        func aDecisionThatIsMadeMeanwhileStands(batch: Int, isUserKnown: Bool) throws {
            let scene = try Scene(settings: ["BATCH_MAX": "\(batch)"])
            if isUserKnown {
                try scene.sql("INSERT INTO friendship_status (user_id) VALUES ('user')")
            }
            for id in ["taken", "other"] { try scene.addConversation(id) }
            try scene.lock(
                """
                UPDATE conversation_events SET status = 'SKIPPED' WHERE conversation_id = 'taken'
                """
            )
            try scene.publish(ids: "taken", "other")
            let worker = try scene.startWorker(["MESSAGE_CONCURRENCY_PER_WORKER": "1"])
            try eventually("it waits for the decision") { try scene.isWorkerWaiting() }
            try scene.sql("COMMIT")
            try eventually("both are acked") { try scene.queue.isDrained() }
            #expect(try scene.count("status = 'SKIPPED' AND attempt_count = 0") == 1)
            #expect(try scene.count("status = 'PROCESSED' AND attempt_count = 1") == 1)
            #expect(try scene.score() == 1)
            #expect(worker.events("message.retry-scheduled").isEmpty)
        }

        /// Fault: two copies of a conversation that moves nothing find the user as they left him,
        /// and both count.
        @Test func copiesOfAConversationOfNoPointsCountOnce() throws {
            let scene = try Scene(settings: ["BATCH_MAX": "1"])
            try scene.addConversation("c1", log: "[]")
            try scene.sql("INSERT INTO friendship_status (user_id) VALUES ('user')")
            try scene.lock("SELECT 1 FROM friendship_status FOR UPDATE")
            try scene.publish(ids: "c1", "c1")
            let worker = try scene.startWorker(["MESSAGE_CONCURRENCY_PER_WORKER": "2"])
            try eventually("both wait for the user") { try scene.waiting() == 2 }
            try scene.sql("COMMIT")
            try eventually("both are acked") { try scene.queue.isDrained() }
            #expect(try scene.count("status = 'PROCESSED' AND attempt_count = 1") == 1)
            #expect(try scene.score() == 0)
            #expect(worker.events("message.retry-scheduled").isEmpty)
        }

        /// Fault: a conversation that is alone takes no lock before it is scored. The worker writes
        /// what it computed from a score or a level that another session has changed since.
        @Test(arguments: ["friendship_score = 41", "friendship_level = 'PHASE2_ACQUAINTANCE'"])
        func whatAnotherSessionChangesMeanwhileIsNotOverwritten(change: String) throws {
            let scene = try Scene()
            try scene.addConversation("c1")
            try scene.sql("INSERT INTO friendship_status (user_id) VALUES ('user')")
            try scene.lock("UPDATE friendship_status SET \(change)")
            try scene.publish(ids: "c1")
            let worker = try scene.startWorker()
            try eventually("it waits for the user") { try scene.isWorkerWaiting() }
            try scene.sql("COMMIT")
            try eventually("it is acked") { try scene.queue.isDrained() }
            let before = change.hasSuffix("41") ? 41.0 : 0
            #expect(try scene.score() == before + 1)
            let details = "(score_calculation_details ->> 'score_before')::float8"
            #expect(try scene.count("\(details) = \(before) AND attempt_count = 1") == 1)
            #expect(worker.events("message.retry-scheduled").isEmpty)
        }

        /// Fault: two conversations of one user at once read the same score, and one is lost.
        @Test(arguments: ["1", "32"])
        func hotUsersLoseNoUpdate(batch: String) throws {
            let scene = try Scene()
            try scene.sql(
                """
                INSERT INTO conversation_events (conversation_id, user_id, bot_type, bot_id,
                    bot_name, start_time, end_time, conversation_log)
                SELECT 'c' || n, 'user-' || n % 2, '', '', '', now(), now(), $1::jsonb
                FROM generate_series(1, 1000) AS n
                """,
                .text(Scene.oneTurn)
            )
            let workers = try (0..<2).map { _ in try scene.startWorker(["BATCH_MAX": batch]) }
            try scene.publish((1...1000).map { Array(#"{"conversation_id":"c\#($0)"}"#.utf8) })
            try eventually("all are processed") { try scene.count("status = 'PROCESSED'") == 1000 }
            #expect(try scene.score(of: "user-0") == 500)
            #expect(try scene.score(of: "user-1") == 500)
            // Each recorded the level after itself: only the 500th of a user reached the next.
            #expect(try scene.count("new_friendship_level = 'PHASE2_ACQUAINTANCE'") == 2)
            withExtendedLifetime(workers) {}
        }

        /// Fault: Swift compares a character of one code point and its form of two code points as
        /// equal, so one conversation was acked without its score, and one child's points went to
        /// another.
        @Test func idsAreToldApartByteForByte() throws {
            let scene = try Scene()
            let (composed, decomposed) = ("m\u{1EB9}", "me\u{323}")
            try scene.sql(
                """
                INSERT INTO friendship_status (user_id, friendship_score)
                VALUES ($1, 1000), ($2, 5)
                """,
                .text(composed),
                .text(decomposed)
            )
            for name in [composed, decomposed] {
                try scene.addConversation("conversation-\(name)", user: name)
            }
            try scene.publish(ids: "conversation-\(composed)", "conversation-\(decomposed)")
            let worker = try scene.startWorker(["MESSAGE_CONCURRENCY_PER_WORKER": "1"])
            try eventually("both are processed") { try scene.count("status = 'PROCESSED'") == 2 }
            #expect(try scene.score(of: composed) == 1001)
            #expect(try scene.score(of: decomposed) == 6)
            withExtendedLifetime(worker) {}
        }

        /// Fault: a column that the parser cannot read counts as empty, and a topic begins afresh.
        @Test func whatOthersKeepInTopicMetricsIsNeitherReadNorChanged() throws {
            let scene = try Scene()
            try scene.sql(
                """
                INSERT INTO agenda_agent_prompting
                    (topic_id, agent_id, talking_agenda, friendship_level, agent_type)
                VALUES ('topic', 'agent-1', '', 'PHASE1_STRANGER', 'A')
                """
            )
            let deep = String(repeating: "[", count: 600) + String(repeating: "]", count: 600)
            let stored = """
                {"topic": {"score": 140, "turns": 70, "agents_used": ["bot-0", 7],
                    "session": 1234567890123456789}, "huge": 1e400, "deep": \(deep)}
                """
            try scene.sql(
                "INSERT INTO friendship_status (user_id, topic_metrics) VALUES ('user', $1::jsonb)",
                .text(stored)
            )
            try scene.addConversation("c1", agent: "agent-1")
            try scene.addConversation("c2", agent: "agent-1")
            let worker = try scene.startWorker()
            try scene.publish(ids: "c1", "c2")
            try eventually("both are processed") { try scene.count("status = 'PROCESSED'") == 2 }
            let rows = try scene.sql(
                """
                SELECT (topic_metrics -> 'topic') - 'last_date' = '{"score": 142, "turns": 72,
                        "agents_used": ["bot-0", 7, "bot-1"], "session": 1234567890123456789,
                        "friendship_level": "PHASE1_STRANGER"}'::jsonb,
                    (topic_metrics - 'topic'::text) = ($1::jsonb - 'topic'::text)
                FROM friendship_status
                """,
                .text(stored)
            )
            #expect(rows.string(0, 0) == "t")
            #expect(rows.string(0, 1) == "t")
            withExtendedLifetime(worker) {}
        }

        /// Fault: accounts are merged while a conversation is under way. The points went to the old
        /// user, or the message was acked without effect.
        @Test(arguments: [false, true])
        func aConversationThatChangesHandsCountsForItsNewUser(areUsersKnown: Bool) throws {
            let scene = try Scene()
            if areUsersKnown {
                try scene.sql("INSERT INTO friendship_status (user_id) VALUES ('old'), ('new')")
            }
            try scene.addConversation("c1", user: "old")
            let worker = try scene.startWorker()
            try worker.waitUntilConsuming()
            try scene.lock("UPDATE conversation_events SET user_id = 'new'")
            try scene.publish(ids: "c1")
            try eventually("it waits for the row") { try scene.isWorkerWaiting() }
            try scene.sql("COMMIT")
            try eventually("c1 is processed") { try scene.count("status = 'PROCESSED'") == 1 }
            #expect(try scene.score(of: "new") == 1)
            #expect(try scene.score(of: "old") ?? 0 == 0)
        }

        /// Fault: another session locks one user for long, and the messages of that user, or of the
        /// whole batch, spend their attempts on waiting.
        @Test func aLockedUserCostsNoAttemptAndHoldsUpNoOtherUser() throws {
            let scene = try Scene(settings: ["MAX_ATTEMPTS": "1"])
            try scene.sql("INSERT INTO friendship_status (user_id) VALUES ('locked')")
            try scene.addConversation("blocked", user: "locked")
            for number in 0..<5 { try scene.addConversation("c\(number)", user: "user-\(number)") }
            try scene.lock("SELECT 1 FROM friendship_status FOR UPDATE")
            try scene.publish(ids: "c0", "c1", "blocked", "c2", "c3", "c4")
            let worker = try scene.startWorker([
                "MESSAGE_CONCURRENCY_PER_WORKER": "1", "TASK_TIMEOUT_SECONDS": "2",
            ])
            try eventually("the others are done") { try scene.count("status = 'PROCESSED'") == 5 }
            // Given back when its time is over, delivered again, and still not charged.
            try eventually("it goes round") { try scene.isWorkerWaiting() }
            try scene.sql("COMMIT")
            try eventually("all are done") { try scene.count("status = 'PROCESSED'") == 6 }
            #expect(try scene.count("attempt_count = 1") == 6)
            #expect(try scene.score(of: "locked") == 1)
            #expect(worker.events("message.dead-lettered").isEmpty)
        }
    }
}
