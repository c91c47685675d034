import Foundation
import Testing

extension Integration {
    /// A schema that takes some rows, or none: it is named, nothing is dead-lettered, and what it
    /// does not concern goes on.
    struct SchemaFaults {
        /// Fault: a column that no new row can do without. Twenty dead letters, none of which names
        /// it.
        @Test(arguments: [false, true])
        func aSchemaThatTakesNoNewUserIsNamedAndBuriesNothing(othersWereNew: Bool) throws {
            let scene = try Scene()
            try scene.sql("INSERT INTO friendship_status (user_id) VALUES ('old')")
            let worker = try scene.startWorker()
            let before = othersWereNew ? 20 : 0
            // From then on users are made as they are locked.
            for number in 0..<before {
                try scene.addConversation("b\(number)", user: "was-new-\(number % 8)")
            }
            try scene.publish(ids: (0..<before).map { "b\($0)" })
            try eventually("they are made") { try scene.count("status = 'PROCESSED'") == before }
            try scene.sql(
                "ALTER TABLE friendship_status ADD COLUMN tenant_id int NOT NULL DEFAULT 0"
            )
            try scene.sql("ALTER TABLE friendship_status ALTER tenant_id DROP DEFAULT")
            for number in 0..<20 { try scene.addConversation("c\(number)", user: "new-\(number)") }
            try scene.addConversation("old", user: "old")
            try scene.publish(ids: (0..<20).map { "c\($0)" })
            try eventually("the worker says what is wrong") {
                worker.events("database.rows-refused").contains {
                    "\($0)".contains("column tenant_id") && "\($0)".contains("friendship_status")
                        && "\($0["remedy"] ?? "")".contains("default")
                }
            }
            try scene.publish(ids: "old")
            try eventually("who has a row goes on") {
                try scene.count("status = 'PROCESSED'") == before + 1
            }
            try scene.sql("ALTER TABLE friendship_status ALTER tenant_id SET DEFAULT 7")
            try scene.expectEachToCountOnce(before + 21, by: worker)
            #expect(worker.events("database.rows-accepted").count == 1)
        }

        /// Fault: a check of new users at the commit names no statement, so it is taken for their
        /// conversations' own, and those are dead-lettered.
        @Test func aDeferredCheckOfNewUsersIsTheSchemas() throws {
            let scene = try Scene(settings: ["MAX_ATTEMPTS": "1"])
            try scene.sql("INSERT INTO friendship_status (user_id) VALUES ('old')")
            try scene.sql(
                """
                CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN RAISE EXCEPTION 'canary' USING ERRCODE = '23514'; END $$
                """
            )
            try scene.sql(
                """
                CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON friendship_status
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()
                """
            )
            for number in 0..<12 { try scene.addConversation("c\(number)", user: "new-\(number)") }
            for number in 0..<12 { try scene.addConversation("o\(number)", user: "old") }
            try scene.publish(ids: (0..<12).flatMap { ["c\($0)", "o\($0)"] })
            let worker = try scene.startWorker()
            try eventually("who has a row goes on") {
                try scene.count("status = 'PROCESSED'") == 12
            }
            try eventually("the worker says what is wrong") {
                !worker.events("database.rows-refused").isEmpty
            }
            #expect(try scene.deadLetters.ready() == 0)
            try scene.sql("DROP TRIGGER refuse ON friendship_status")
            try scene.expectEachToCountOnce(24, by: worker)
        }

        /// Fault: a constraint that no row can meet any more, found by rows only. Nothing is
        /// buried, and the worker says that the schema is at fault, once.
        @Test func aConstraintThatEveryRowViolatesIsTheSchemas() throws {
            let scene = try Scene()
            try scene.addConversations(12)
            try scene.sql(
                """
                ALTER TABLE conversation_events ADD CONSTRAINT impossible
                CHECK (status <> 'PROCESSED') NOT VALID
                """
            )
            let worker = try scene.startWorker()
            try scene.publish(ids: (0..<12).map { "c\($0)" })
            try eventually("the worker says so") {
                worker.events("database.unavailable").contains {
                    "\($0)".contains("constraint impossible") && $0["kind"] as? String == "schema"
                }
            }
            try eventually("it is not ready") {
                worker.events("worker.not-ready").contains {
                    "\($0)".contains("the schema is not as Amity needs it")
                }
            }
            try eventually("they are put off") { worker.events("message.postponed").count >= 12 }
            try scene.sql("ALTER TABLE conversation_events DROP CONSTRAINT impossible")
            try scene.expectEachToCountOnce(12, by: worker)
            #expect(worker.events("database.available").count == 1)
        }
    }
}
