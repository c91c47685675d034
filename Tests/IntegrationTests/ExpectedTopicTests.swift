import Messaging
import Testing

@testable import Conversations

/// Topics that are read with the locks, because they were needed a moment ago.
extension Integration.Contention {
    /// Fault: a topic that the agenda has got a moment ago begins at nothing.
    @Test func aTopicThatIsNewInTheAgendaGoesOnFromWhatIsStored() throws {
        let agenda = """
            INSERT INTO agenda_agent_prompting
                (topic_id, agent_id, talking_agenda, friendship_level, agent_type)
            VALUES
            """
        try scene.sql("\(agenda) ('old', 'agent', '', 'PHASE1_STRANGER', '')")
        for id in ["a", "b", "c", "d"] { try scene.addConversation(id, user: id, agent: "agent") }
        try scene.sql(
            """
            INSERT INTO friendship_status (user_id, topic_metrics)
            SELECT unnest(ARRAY['a', 'b', 'c', 'd']), '{"new": {"score": 7, "turns": 7}}'
            """
        )
        #expect(handle(["a", "b"]) == [.done, .done])
        try scene.sql("UPDATE agenda_agent_prompting SET topic_id = 'new'")
        #expect(handle(["c", "d"]) == [.done, .done])
        let users = try scene.sql(
            """
            SELECT topic_metrics #>> '{old,turns}', topic_metrics #>> '{new,turns}'
            FROM friendship_status ORDER BY user_id
            """
        )
        #expect((0..<4).map { users.string($0, 0) } == ["1", "1", nil, nil])
        #expect((0..<4).map { users.string($0, 1) } == ["7", "7", "8", "8"])
    }

    /// Fault: where topics cannot be read, conversations that need none wait with the others.
    @Test func whatNeedsNoTopicIsScoredWhereTheyCannotBeRead() throws {
        try scene.sql(
            """
            INSERT INTO agenda_agent_prompting
                (topic_id, agent_id, talking_agenda, friendship_level, agent_type)
            VALUES ('topic', 'agent', '', 'PHASE1_STRANGER', '')
            """
        )
        for id in ["a", "b", "c", "d"] { try scene.addConversation(id, user: id, agent: "agent") }
        for id in ["p", "q", "r", "s"] { try scene.addConversation(id, user: id) }
        #expect(handle(["a", "b"]) == [.done, .done])
        #expect(handler.store.expected.ahead.topics == [ExactText("topic")])
        let columns = "user_id, friendship_score, friendship_level"
        try scene.sql("REVOKE SELECT ON friendship_status FROM \(scene.name)")
        try scene.sql("GRANT SELECT (\(columns)) ON friendship_status TO \(scene.name)")
        for outcome in handle(["c", "d"]) {
            guard case .postpone = outcome else {
                Issue.record("\(outcome)")
                continue
            }
        }
        #expect(handler.store.expected.ahead.topics.isEmpty)
        #expect(handle(["p", "q"]) == [.done, .done])
        try scene.sql("GRANT SELECT ON friendship_status TO \(scene.name)")
        #expect(handle(["c", "r", "d", "s"]) == [.done, .done, .done, .done])
    }
}
