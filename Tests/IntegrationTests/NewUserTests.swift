import Messaging
import Postgres
import Testing

@testable import Conversations

/// Users that a batch makes with what it writes.
extension Integration.Contention {
    /// Fault: of two that make the same user the later one overwrites what the first gave it.
    @Test func aUserThatAnotherIsMakingIsWaitedFor() throws {
        for id in ["new", "a"] { try scene.addConversation(id, user: id) }
        try scene.lock(
            "INSERT INTO friendship_status (user_id, friendship_score) VALUES ('new', 5)"
        )
        let outcomes = begin(["a", "new"])
        try eventually("the batch is at the new user") { try scene.isWorkerWaiting() }
        try scene.sql("COMMIT")
        #expect(outcomes() == [.done, .done])
        #expect(try scene.score(of: "new") == 6)
        #expect(try scene.score(of: "a") == 1)
    }

    /// Fault: what a trigger or a default gives a new user is overwritten, in a batch only.
    @Test(arguments: ["BEFORE", "AFTER", "DEFAULT"])
    func whatTheDatabaseGivesANewUserIsKept(_ kind: String) throws {
        try scene.sql(
            """
            INSERT INTO agenda_agent_prompting
                (topic_id, agent_id, talking_agenda, friendship_level, agent_type)
            VALUES ('topic', 'agent', '', 'PHASE1_STRANGER', '')
            """
        )
        switch kind {
        case "DEFAULT":
            try scene.sql(
                """
                ALTER TABLE friendship_status ALTER topic_metrics
                SET DEFAULT '{"topic": {"score": 30, "turns": 30}}'
                """
            )
        case _:
            let body =
                kind == "BEFORE"
                ? "NEW.friendship_score := 100; RETURN NEW;"
                : """
                UPDATE friendship_status SET friendship_score = 100
                WHERE user_id = NEW.user_id; RETURN NULL;
                """
            try scene.sql(
                """
                CREATE FUNCTION welcome() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN \(body) END $$
                """
            )
            try scene.sql(
                """
                CREATE TRIGGER welcome \(kind) INSERT ON friendship_status
                FOR EACH ROW EXECUTE FUNCTION welcome()
                """
            )
        }
        for id in ["a", "b", "c"] { try scene.addConversation(id, user: id, agent: "agent") }
        #expect(handle(["a", "b"]) == [.done, .done])
        #expect(handle(["c"]) == [.done])
        let users = try scene.sql(
            """
            SELECT friendship_score, topic_metrics #>> '{topic,turns}' FROM friendship_status
            """
        )
        let (score, turns) = kind == "DEFAULT" ? ("1", "31") : ("101", "1")
        for row in 0..<3 {
            #expect(users.string(row, 0) == score && users.string(row, 1) == turns)
        }
    }

    /// Fault: one new user that cannot be made takes others along.
    @Test func aNewUserThatIsRefusedFailsAlone() throws {
        try scene.sql("ALTER TABLE friendship_status ADD CHECK (user_id <> 'bad')")
        for id in ["a", "bad", "b", "c"] { try scene.addConversation(id, user: id) }
        try scene.sql("INSERT INTO friendship_status (user_id) VALUES ('a')")
        let outcomes = handle(["a", "bad", "b", "c"])
        #expect([outcomes[0], outcomes[2], outcomes[3]] == [.done, .done, .done])
        guard case .deadLetter = outcomes[1] else {
            Issue.record("\(outcomes[1])")
            return
        }
        #expect(try scene.count("status = 'PROCESSED'") == 3)
    }

    /// Fault: where users cannot be made the conversations of known ones wait with the others.
    @Test func withoutTheRightToMakeUsersKnownOnesAreScored() throws {
        for id in ["a", "b", "new", "newer"] { try scene.addConversation(id, user: id) }
        try scene.sql("INSERT INTO friendship_status (user_id) VALUES ('a'), ('b')")
        try scene.sql("REVOKE INSERT ON friendship_status FROM \(scene.name)")
        let outcomes = handle(["a", "new", "b", "newer"])
        #expect([outcomes[0], outcomes[2]] == [.done, .done])
        for outcome in [outcomes[1], outcomes[3]] {
            guard case .postpone = outcome else {
                Issue.record("\(outcome)")
                continue
            }
        }
        try scene.sql("GRANT INSERT ON friendship_status TO \(scene.name)")
        #expect(handle(["new", "newer"]) == [.done, .done])
    }

    /// Fault: two spellings of a new user are two users, or none.
    @Test func aNewUserInTwoSpellingsIsMadeOnce() throws {
        try scene.sql("CREATE EXTENSION citext SCHEMA \(scene.name)")
        for table in ["friendship_status", "conversation_events"] {
            try scene.sql("ALTER TABLE \(table) ALTER user_id TYPE citext")
        }
        for (id, user) in [("1", "Mia"), ("2", "mia"), ("3", "Tom")] {
            try scene.addConversation(id, user: user)
        }
        #expect(handle(["1", "2", "3"]) == [.done, .done, .done])
        let users = try scene.sql(
            "SELECT lower(user_id::text), friendship_score FROM friendship_status ORDER BY 1"
        )
        #expect(users.count == 2)
        #expect((0..<2).map { users.string($0, 1) } == ["2", "1"])
    }

    /// Fault: an event that is there twice takes its user's other events along, or a user is made
    /// for what cannot be scored.
    @Test func anEventThatIsThereTwiceFailsAlone() throws {
        try scene.sql(
            """
            ALTER TABLE conversation_events DROP CONSTRAINT conversation_events_pkey CASCADE,
                DROP CONSTRAINT conversation_events_conversation_id_key CASCADE
            """
        )
        for (id, user) in [("same", "u"), ("other", "u"), ("twice", "new"), ("good", "v")] {
            try scene.addConversation(id, user: user)
        }
        try scene.addConversation("twice", user: "new")
        try scene.sql(
            """
            INSERT INTO conversation_events (id, conversation_id, user_id, bot_type, bot_id,
                bot_name, start_time, end_time, conversation_log, status)
            SELECT id, conversation_id, user_id, bot_type, bot_id, bot_name, start_time, end_time,
                conversation_log, status
            FROM conversation_events WHERE conversation_id = 'same'
            """
        )
        try scene.sql("INSERT INTO friendship_status (user_id) VALUES ('u')")
        let outcomes = handle(["same", "other", "twice", "good"])
        #expect([outcomes[1], outcomes[3]] == [.done, .done])
        for outcome in [outcomes[0], outcomes[2]] {
            guard case .deadLetter = outcome else {
                Issue.record("\(outcome)")
                continue
            }
        }
        #expect(try scene.score(of: "u") == 1)
        let made = try scene.sql("SELECT 1 FROM friendship_status WHERE user_id = 'new'")
        #expect(made.count == 0)
    }
}
