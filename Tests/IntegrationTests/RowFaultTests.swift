import Foundation
import Messaging
import Postgres
import TestSupport
import Testing

extension Integration {
    /// Rows that the database refuses, among others that it takes: each fails alone, as its kind
    /// says, and is named; the others do not wait for it. And a schema that takes no row at all,
    /// for which nothing is dead-lettered.
    struct RowFaults {
        /// Fault: a trigger fails for one user, by itself or by RAISE, with a SQLSTATE that stands
        /// for an outage, a missing table or a race. The worker pauses as "database away", for all
        /// users.
        @Test(arguments: [
            "42P01", "42501", "0A000", "53100", "57P01", "08006", "25006", "22012", "2201X",
            "XX000",
            "40001", "57014",
        ])
        func aTriggerThatFailsForOneUserStopsNoOtherUser(sqlState: String) throws {
            let scene = try Scene(settings: ["MAX_ATTEMPTS": "2"])
            try scene.plant(sqlState)
            try scene.addConversation("bad", user: "bad")
            try scene.addConversations(20)
            try scene.publish(ids: ["bad"] + (0..<20).map { "c\($0)" })
            let worker = try scene.startWorker(["MESSAGE_CONCURRENCY_PER_WORKER": "1"])
            try eventually("the others are done") { try scene.count("status = 'PROCESSED'") == 20 }
            if sqlState == "40001" {
                // Nothing speaks against it but that it loses every race: no attempt is spent, for
                // long.
                try eventually("it is put off") {
                    worker.events("message.postponed").contains {
                        $0["subject"] as? String == "bad"
                    }
                }
                #expect(worker.events("message.retry-scheduled").isEmpty)
            } else {
                let dead = try #require(try scene.deadLetters.take(1).first)
                #expect(!dead.header(HeaderName.reason).contains("canary"))
                try eventually("its row says so") {
                    try scene.count("status = 'FAILED' AND error_code IS NOT NULL") == 1
                }
            }
            #expect(worker.events("database.unavailable").isEmpty)
            #expect(!worker.log.contains("canary"))
        }

        /// Fault: rows that cannot be written hold the threads, as conflicts without end: 144 of
        /// 360 healthy conversations in 90 s.
        @Test func fortyRowsThatCannotBeWrittenForFourReasonsStopNoOthers() throws {
            let scene = try Scene(settings: ["MAX_ATTEMPTS": "2"])
            let ids = try scene.addRowsThatCannotBeWritten(10, among: 360)
            try scene.publish(ids: ids.shuffled())
            let worker = try scene.startWorker(["MESSAGE_CONCURRENCY_PER_WORKER": "2"])
            try eventually("the others are done", within: .seconds(20)) {
                try scene.count("status = 'PROCESSED'") == 360
            }
            try eventually("the others are dead") { try scene.deadLetters.ready() == 40 }
            let ends = [
                ("raises", "UNEXPECTED_ERROR", 2), ("divides", "UNEXPECTED_ERROR", 1),
                ("checked", "UNEXPECTED_ERROR", 1), ("hidden", "NOT_WRITTEN", 2),
            ]
            let named = Set(worker.events("message.dead-lettered").map { $0["subject"] as? String })
            for (kind, code, attempts) in ends {
                let count = try scene.count(
                    """
                    conversation_id LIKE '\(kind)-%' AND status = 'FAILED'
                    AND error_code = '\(code)' AND attempt_count = \(attempts)
                    """
                )
                #expect(count == 10, "\(kind)")
                for number in 0..<10 { #expect(named.contains("\(kind)-\(number)")) }
                #expect(try scene.amity(["explain", "\(kind)-0"]).output.contains(code))
            }
            #expect(worker.events("database.unavailable").isEmpty)
            let sum = try scene.sql("SELECT sum(friendship_score)::int FROM friendship_status")
            #expect(sum.integer(0, 0) == 360)
        }

        /// Fault: what cannot be written is one event, not its user: the user's other conversations
        /// of the same batch count.
        @Test func anEventThatCannotBeWrittenLeavesItsUsersOthers() throws {
            let scene = try Scene(settings: ["MAX_ATTEMPTS": "1"])
            try scene.sql(
                """
                ALTER TABLE conversation_events ADD CONSTRAINT odd
                CHECK (conversation_id <> 'odd' OR status <> 'PROCESSED')
                """
            )
            for id in ["a", "odd", "b"] { try scene.addConversation(id, user: "one") }
            try scene.addConversations(20)
            try scene.publish(ids: ["a", "odd", "b"] + (0..<20).map { "c\($0)" })
            let worker = try scene.startWorker(["MESSAGE_CONCURRENCY_PER_WORKER": "1"])
            try eventually("the others are done") { try scene.count("status = 'PROCESSED'") == 22 }
            #expect(try scene.score(of: "one") == 2)
            let dead = try #require(try scene.deadLetters.take(1).first)
            #expect(dead.header(HeaderName.reason).contains("constraint odd"))
            withExtendedLifetime(worker) {}
        }

        /// Fault: users are written apart, but not their events, and an event that cannot be
        /// written sends all others of its batch through transactions of their own.
        @Test func eventsThatCannotBeWrittenSendNoOthersAlone() throws {
            let scene = try Scene(settings: ["MAX_ATTEMPTS": "1"])
            try scene.sql(
                """
                ALTER TABLE conversation_events ADD CONSTRAINT odd
                CHECK (conversation_id NOT LIKE 'odd-%' OR status <> 'PROCESSED')
                """
            )
            let odd = (0..<20).map { "odd-\($0)" }
            for id in odd { try scene.addConversation(id, user: id) }
            // Of as many users: a batch is tried one by one where three are refused before one
            // is taken, in no certain order.
            for number in 0..<180 { try scene.addConversation("c\(number)", user: "u\(number)") }
            let good = (0..<180).map { "c\($0)" }
            try scene.publish(ids: (odd + good.dropLast(20)).shuffled() + good.suffix(20))
            let port = RawConnection.freePort()
            let worker = try scene.startWorker([
                "MESSAGE_CONCURRENCY_PER_WORKER": "1", "HTTP_PORT": "\(port)",
            ])
            try eventually("the others are done") { try scene.count("status = 'PROCESSED'") == 180 }
            // One that came alone is put off twenty times, for a second each.
            try eventually("the odd are dead", within: .seconds(60)) {
                try scene.deadLetters.ready() == 20
            }
            #expect(try scene.count("status = 'FAILED' AND conversation_id LIKE 'odd-%'") == 20)
            let sum = try scene.sql("SELECT sum(friendship_score)::int FROM friendship_status")
            #expect(sum.integer(0, 0) == 180)
            let metrics = try RawAnswer.get("/metrics", port: port).body
            let alone = metrics.matches(of: /_count{statement="read_conversations"} (\d+)/)
                .compactMap { Int($0.1) }
            #expect((alone.first ?? 0) <= 3, "the first may come alone")
            withExtendedLifetime(worker) {}
        }

        /// Fault: a trigger returns NULL, so the user's row stays as it was, without an error,
        /// while the event is marked as done: the score is lost.
        @Test(arguments: [1, 2]) func aScoreThatATriggerSwallowsIsNotTakenForDone(number: Int)
            throws
        {
            let scene = try Scene(settings: ["MAX_ATTEMPTS": "1"])
            try scene.sql(
                """
                CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN IF NEW.user_id = 'bad' THEN RETURN NULL; END IF; RETURN NEW; END $$
                """
            )
            try scene.sql(
                """
                CREATE TRIGGER swallow BEFORE UPDATE ON friendship_status
                FOR EACH ROW EXECUTE FUNCTION swallow()
                """
            )
            try scene.addConversations(4)
            let bad = (0..<number).map { "bad-\($0)" }
            for id in bad { try scene.addConversation(id, user: "bad") }
            try scene.publish(ids: bad + (0..<4).map { "c\($0)" })
            let worker = try scene.startWorker(["MESSAGE_CONCURRENCY_PER_WORKER": "1"])
            try eventually("the others are done") { try scene.count("status = 'PROCESSED'") == 4 }
            let deadLetters = try scene.deadLetters.take(number)
            #expect(deadLetters.allSatisfy { $0.header(HeaderName.code) == "NOT_WRITTEN" })
            #expect(try scene.count("error_code = 'NOT_WRITTEN' AND status = 'FAILED'") == number)
            withExtendedLifetime(worker) {}
        }

        /// Fault: each message of a locked user waits for the lock, one after the other, on the
        /// only thread.
        @Test func aLockedUserIsPutOffAfterOneWaitAndSpendsNothing() throws {
            let scene = try Scene()
            try scene.sql("INSERT INTO friendship_status (user_id) VALUES ('user-0')")
            try scene.addConversations(80)
            try scene.lock("SELECT 1 FROM friendship_status FOR UPDATE")
            try scene.publish(ids: (0..<80).map { "c\($0)" })
            let worker = try scene.startWorker(["MESSAGE_CONCURRENCY_PER_WORKER": "1"])
            try eventually("the others are done", within: .seconds(15)) {
                try scene.count("status = 'PROCESSED'") == 60
            }
            try eventually("each of them is named") {
                Set(worker.events("message.postponed").map { $0["subject"] as? String }).count == 20
            }
            try scene.sql("COMMIT")
            try scene.expectEachToCountOnce(80, by: worker)
        }

        /// Fault: row level security without a policy hides every event: the whole queue is
        /// dead-lettered as CONVERSATION_NOT_FOUND.
        @Test func rowsThatAPolicyHidesAreNotBuried() throws {
            let scene = try Scene(settings: ["MAX_ATTEMPTS": "1"])
            try scene.addConversations(30)
            try scene.sql("ALTER TABLE conversation_events ENABLE ROW LEVEL SECURITY")
            let worker = try scene.startWorker()
            try scene.publish(ids: (0..<30).map { "c\($0)" })
            try eventually("the worker says so") {
                worker.events("database.rows-refused").contains {
                    "\($0)".contains("row level security hides rows")
                }
            }
            try eventually("all are put off") {
                Set(worker.events("message.postponed").map { $0["subject"] as? String }).count == 30
            }
            try scene.sql("ALTER TABLE conversation_events DISABLE ROW LEVEL SECURITY")
            try scene.expectEachToCountOnce(30, by: worker)
        }

        /// Fault: another database is set, or an empty one was restored: every conversation is
        /// unknown, and the whole queue is dead-lettered.
        @Test func aFloodOfUnknownConversationsIsNotBuried() throws {
            let scene = try Scene(settings: ["MAX_ATTEMPTS": "2"])
            try scene.publish(ids: (0..<40).map { "c\($0)" })
            let worker = try scene.startWorker(["MESSAGE_CONCURRENCY_PER_WORKER": "1"])
            try eventually("the worker says so") {
                worker.events("database.rows-refused").contains { "\($0)".contains("has none of") }
            }
            // The first twenty may have spent an attempt before it was a flood.
            try eventually("they wait, time and again") {
                worker.events("message.postponed").count > 100
            }
            try scene.addConversations(40)
            try eventually("all are scored") { try scene.count("status = 'PROCESSED'") == 40 }
            #expect(try scene.deadLetters.ready() == 0)
        }

        /// Fault: the user's row in a table of another service comes a moment later (23503).
        @Test func aRowThatIsReferredToMayComeLater() throws {
            let scene = try Scene()
            try scene.sql("CREATE TABLE users (id varchar(255) PRIMARY KEY)")
            try scene.sql(
                """
                ALTER TABLE friendship_status
                ADD CONSTRAINT known FOREIGN KEY (user_id) REFERENCES users (id)
                """
            )
            try scene.addConversation("early", user: "late")
            let worker = try scene.startWorker()
            try scene.publish(ids: "early")
            try eventually("it is retried") {
                worker.events("message.retry-scheduled").contains {
                    "\($0["reason"] ?? "")".contains("constraint known")
                }
            }
            try scene.sql("INSERT INTO users VALUES ('late')")
            try eventually("it counts") { try scene.score(of: "late") == 1 }
        }

        /// Fault: a failure that the row does not take, so that each sweep makes another dead
        /// dead letter.
        @Test(arguments: [
            "ALTER error_code TYPE varchar(5)", "ALTER error_details TYPE varchar(5)",
            "ADD CHECK (status <> 'FAILED')",
        ])
        func aFailureThatCannotBeWrittenMakesOneDeadLetter(change: String) throws {
            let scene = try Scene(settings: ["SWEEP_AFTER_SECONDS": "1"])
            try scene.sql("ALTER TABLE conversation_events \(change)")
            try scene.addConversation("bad", log: "{}")
            let worker = try scene.startWorker()
            try scene.publish(ids: "bad")
            try eventually("it is dead") { try scene.deadLetters.ready() == 1 }
            for round in 0..<2 {
                try scene.addConversation("lost-\(round)")
                try eventually("a sweep has been") {
                    try scene.count("status = 'PROCESSED'") == round + 1
                }
            }
            #expect(try scene.deadLetters.ready() == 1)
            #expect(worker.events("conversation.failure-not-recorded").count == 1)
        }

        /// Fault: one row that the sweep cannot touch ends the sweep for all.
        @Test func aRowThatCannotBeSweptLeavesTheOthers() throws {
            let scene = try Scene(settings: ["SWEEP_AFTER_SECONDS": "1"])
            try scene.plant("P0001", on: "conversation_events")
            try scene.addConversation("bad", user: "bad")
            try scene.addConversation("lost", user: "good")
            let worker = try scene.startWorker()
            try eventually("the other is found") { try scene.count("status = 'PROCESSED'") == 1 }
            let named = worker.events("sweep.row-refused").filter {
                $0["level"] as? String == "warning"
            }
            #expect(named.map { $0["conversation"] as? String } == ["bad"])
        }
    }
}

extension Scene {
    /// A trigger that raises this for conversations of the user `bad`.
    func plant(_ sqlState: String, on table: String = "friendship_status") throws {
        try sql(
            """
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF NEW.user_id = 'bad' THEN
                    RAISE EXCEPTION 'canary' USING ERRCODE = '\(sqlState)';
                END IF;
                RETURN NEW;
            END $$
            """
        )
        try sql(
            """
            CREATE TRIGGER refuse BEFORE UPDATE ON \(table) FOR EACH ROW EXECUTE FUNCTION refuse()
            """
        )
    }

    /// Conversations of users whose row cannot be written, `count` for each of four reasons, and
    /// others.
    ///
    /// - Returns: their ids.
    func addRowsThatCannotBeWritten(_ count: Int, among others: Int) throws -> [String] {
        try sql(
            """
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF NEW.user_id LIKE 'raises-%' THEN UPDATE no_such_table SET x = 1; END IF;
                RETURN NEW;
            END $$
            """
        )
        for change in [
            """
            CREATE TRIGGER refuse BEFORE UPDATE ON friendship_status
            FOR EACH ROW EXECUTE FUNCTION refuse()
            """,
            """
            ALTER TABLE friendship_status ADD COLUMN odd int GENERATED ALWAYS AS (1 / CASE
                WHEN user_id LIKE 'divides-%' AND friendship_score > 0 THEN 0 ELSE 1 END) STORED
            """,
            """
            ALTER TABLE friendship_status ADD CONSTRAINT checked
            CHECK (user_id NOT LIKE 'checked-%' OR friendship_score = 0)
            """,
            "ALTER TABLE friendship_status ENABLE ROW LEVEL SECURITY",
            "CREATE POLICY seen ON friendship_status FOR SELECT USING (true)",
            "CREATE POLICY made ON friendship_status FOR INSERT WITH CHECK (true)",
            """
            CREATE POLICY changed ON friendship_status
            FOR UPDATE USING (user_id NOT LIKE 'hidden-%')
            """,
        ] { try sql(change) }
        let kinds = ["raises", "divides", "checked", "hidden"]
        let ids =
            kinds.flatMap { kind in (0..<count).map { "\(kind)-\($0)" } }
            + (0..<others).map { "good-\($0)" }
        for id in ids { try addConversation(id, user: id) }
        try sql(
            """
            INSERT INTO friendship_status (user_id, friendship_score)
            SELECT DISTINCT user_id, 0 FROM conversation_events
            """
        )
        return ids
    }
}
