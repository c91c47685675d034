import Foundation
import FriendshipScoring
import Postgres
import Testing

extension Integration {
    /// What statements that spare work must not change.
    struct StatementTests {
        /// Batches that all meet the same new users: each is made once, and no score is lost.
        @Test(arguments: [nil, "agent"]) func newUsersOfManyBatchesAreMadeOnce(agent: String?)
            throws
        {
            let scene = try Scene()
            try scene.sql(
                """
                INSERT INTO agenda_agent_prompting
                    (topic_id, agent_id, talking_agenda, friendship_level, agent_type)
                VALUES ('topic', 'agent', '', 'PHASE1_STRANGER', '')
                """
            )
            let ids = (0..<600).map { "c\($0)" }
            for (number, id) in ids.enumerated() {
                try scene.addConversation(id, user: "new-\(number % 40)", agent: agent)
            }
            try scene.publish(ids: ids + ids.shuffled())
            let workers = try (0..<3).map { _ in
                try scene.startWorker(["MESSAGE_CONCURRENCY_PER_WORKER": "3", "BATCH_MAX": "16"])
            }
            try eventually("all are scored", within: .seconds(60)) {
                try scene.count("status = 'PROCESSED'") == ids.count
            }
            let users = try scene.sql(
                """
                SELECT count(*), min(friendship_score), max(friendship_score),
                    min(coalesce(topic_metrics #>> '{topic,turns}', '0')),
                    max(coalesce(topic_metrics #>> '{topic,turns}', '0'))
                FROM friendship_status
                """
            )
            let topic = agent == nil ? "0" : "15"
            #expect(
                (0..<5).map { users.string(0, $0) } == ["40", "15", "15", topic, topic]
            )
            for worker in workers { #expect(worker.events("message.dead-lettered").isEmpty) }
        }

        /// Where no text is needed the server sends who spoke, and nothing else: whatever a log
        /// looks like, it comes to what the whole of it comes to.
        @Test(arguments: ["jsonb", "json", "text"])
        func turnsAreCountedFromSpeakersAsFromTheWholeLog(columnType: String) throws {
            let scene = try Scene(settings: ["MAX_ATTEMPTS": "1"])
            try scene.sql(
                """
                ALTER TABLE conversation_events
                ALTER conversation_log TYPE \(columnType) USING conversation_log::\(columnType)
                """
            )
            func item(_ speaker: String) -> String {
                #"{"speaker":\#(speaker),"turn_id":1,"text":"hm"}"#
            }
            let (pika, user) = (item(#""pika""#), item(#""user""#))
            let logs = [
                "[]", "[\(pika),\(user)]", "[\(pika),\(user),\(user),\(pika)]",
                "[\(item(#""PIKA""#)),\(item(#""User""#))]", "[\(pika),\(item("null")),\(user)]",
                "[\(pika),\(item("7")),\(user)]", "[\(pika),{},\(user)]",
                #"[\#(pika),{"turn_id":1},\#(user)]"#, "[\(pika),\(item(#"["user"]"#)),\(user)]",
                "[\(pika),[\(user)]]", "[[\(user)],\(pika)]", #"["user","pika"]"#, "{}", "7",
                "null",
                #"[{"speaker":"user","text":"a"},{"speaker":"pika","text":"b"}]"#,
                #"[{"character":"USER","content":"a"},{"character":"BOT","content":"b"}]"#,
                #"[{"character":"USER","content":"a"},{"character":"BOT","content":7}]"#,
                #"[{"character":"USER","content":"a","speaker":"pika","turn_id":1},"#
                    + #"{"character":"BOT","content":" "}]"#,
                #"[{"character":"USER","content":"a","speaker":"pika","turn_id":1,"text":null},"#
                    + #"{"speaker":"user"}]"#,
            ]
            for (number, log) in logs.enumerated() {
                try scene.sql(
                    """
                    INSERT INTO conversation_events (conversation_id, user_id, bot_type, bot_id,
                        bot_name, start_time, end_time, conversation_log, status)
                    VALUES ($1, $1, 'TALK', 'b', 'Pika', now(), now(), $2::\(columnType), 'PENDING')
                    """,
                    .text("c\(number)"),
                    .text(log)
                )
            }
            try scene.publish(ids: logs.indices.map { "c\($0)" })
            let worker = try scene.startWorker()
            try eventually("all are final") { try scene.count("status <> 'PENDING'") == logs.count }
            for (number, log) in logs.enumerated() {
                let row = try scene.sql(
                    """
                    SELECT friendship_score_change, error_details FROM conversation_events
                    WHERE conversation_id = $1
                    """,
                    .text("c\(number)")
                )
                do throws(ConversationLogError) {
                    let log = try ConversationLog(json: Data(log.utf8))
                    let score = ConversationScore(of: log, analysis: .none)
                    #expect(row.double(0, 0) == score.change, "\(number)")
                } catch {
                    #expect(row.string(0, 1) == error.description, "\(number)")
                }
            }
            withExtendedLifetime(worker) {}
        }
    }
}
