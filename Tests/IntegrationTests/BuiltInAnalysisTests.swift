import Foundation
import Testing

extension Integration {
    /// Where nothing is said of analysis, the built-in analyser does it.
    struct BuiltInAnalysis {
        private static let curious = #"""
            [{"speaker":"pika","turn_id":1,"text":"The moon is far away."},
             {"speaker":"user","turn_id":2,"text":"Wow! How far is it?"},
             {"speaker":"pika","turn_id":3,"text":"Half a year by car."},
             {"speaker":"user","turn_id":4,"text":"Bố tớ có xe to. Ai sống trên đấy?"}]
            """#

        /// Fault: the analysis stops short of the row, or the switch that teams bring along is not
        /// heard.
        @Test(arguments: [
            ("", 28, "interesting", 2, 1), ("false", 2, "neutral", 0, 0),
        ])
        func reachesTheRowUnlessItIsSwitchedOff(
            enabled: String,
            change: Int,
            emotion: String,
            questions: Int,
            memories: Int
        ) throws {
            let scene = try Scene()
            try scene.addConversation("c1", log: Self.curious)
            // In the API shape the same is worth the same.
            try scene.addConversation("c2", log: Self.inAPIShape(Self.curious))
            let worker = try scene.startWorker(["LLM_ANALYSIS_ENABLED": enabled])
            try scene.publish(ids: "c1", "c2")
            try eventually("both are processed") { try scene.count("status = 'PROCESSED'") == 2 }
            let details = """
                {"total_turns": 2, "session_emotion": "\(emotion)",
                 "user_initiated_questions": \(questions), "new_memories_count": \(memories),
                 "total_exchange_score": \(change)}
                """
            let rows = try scene.sql(
                """
                SELECT count(*) FILTER (WHERE friendship_score_change = $1::int
                    AND score_calculation_details - 'sources' - 'score_before'
                        = $2::jsonb)
                FROM conversation_events
                """,
                .integer(change),
                .text(details)
            )
            #expect(rows.integer(0, 0) == 2)
            #expect(try scene.score() == Double(2 * change))
            // Fault: what a child said is in the log of a worker that reads it.
            for word in ["moon", "far is", "xe to"] { #expect(!worker.log.contains(word)) }
        }

        /// Fault: a number looks wrong, and nothing tells what in the conversation it comes from.
        @Test func theCountedTurnsAreExplainedByTheirIDs() throws {
            let scene = try Scene()
            try scene.addConversation("c1", log: Self.curious)
            try scene.addConversation("c2", log: Self.inAPIShape(Self.curious))
            let worker = try scene.startWorker(["LLM_ANALYSIS_ENABLED": ""])
            try scene.publish(ids: "c1", "c2")
            try eventually("both are processed") { try scene.count("status = 'PROCESSED'") == 2 }
            for id in ["c1", "c2"] {
                let table = try scene.amity(["explain", id]).output
                #expect(table.contains("built-in: turns 2, 4\n"), "\(table)")
                #expect(table.contains("built-in: turn 4\n"), "\(table)")
                let json = try scene.amity(["explain", id, "--json"]).output
                #expect(json.contains(#""turns":[2,4]"#) && json.contains(#""turns":[4]"#))
                for word in ["moon", "far is", "xe to"] { #expect(!(table + json).contains(word)) }
            }
            // Counted by rules that were others: their turns are not known.
            try scene.sql(
                """
                UPDATE conversation_events SET score_calculation_details
                    = jsonb_set(score_calculation_details, '{user_initiated_questions}', '7')
                """
            )
            let table = try scene.amity(["explain", "c1"]).output
            #expect(!table.contains("turns 2, 4") && table.contains("built-in: turn 4\n"))
            withExtendedLifetime(worker) {}
        }

        private static func inAPIShape(_ log: String) -> String {
            log.replacing(#""speaker":"pika""#, with: #""character":"BOT_RESPONSE_CONVERSATION""#)
                .replacing(#""speaker":"user""#, with: #""character":"USER_RESPONSE""#)
                .replacing(#""text":"#, with: #""content":"#)
        }
    }
}
