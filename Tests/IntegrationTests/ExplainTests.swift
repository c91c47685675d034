import AMQP
import Foundation
import TestSupport
import Testing

extension Integration {
    /// `amity explain`, for each state in which a conversation may be.
    struct Explaining {
        private func explain(_ scene: Scene, _ id: String) throws -> (
            json: [String: Any], table: String
        ) {
            let table = try scene.amity(["explain", id])
            let json = try scene.amity(["explain", id, "--json"])
            let expected: Int32 = json.output.contains(#""state":"unknown""#) ? 1 : 0
            #expect(table.status == expected && json.status == expected, "\(table.error)")
            #expect(!(table.output + table.error + json.output).contains("canary"))
            let object = try JSONSerialization.jsonObject(with: Data(json.output.utf8))
            return (try #require(object as? [String: Any]), table.output)
        }

        private func because(_ json: [String: Any]) -> String {
            (json["because"] as? [String] ?? []).joined(separator: "\n")
        }

        @Test func aScoreIsExplainedPartByPart() throws {
            let stub = try StubServer {
                $0.isChat ? .chat(questions: 2, emotion: "interesting") : .status(400)
            }
            let scene = try Scene(settings: Scene.services(stub))
            try scene.sql(
                "INSERT INTO friendship_status (user_id, friendship_score) VALUES ('user', 490)"
            )
            try scene.addConversation("c1", log: Scene.threeWords)
            let worker = try scene.startWorker()
            try scene.publish(ids: "c1")
            try scene.waitUntilScored("c1")
            let (json, table) = try explain(scene, "c1")
            #expect(json["state"] as? String == "scored")
            let score = try #require(json["score"] as? [String: Any])
            let parts = try #require(score["parts"] as? [[String: Any]])
            #expect(
                parts.map { $0["name"] as? String } == [
                    "turns", "questions", "emotion", "memories",
                ]
            )
            #expect(parts.map { $0["value"] as? String } == ["2", "2", "interesting", "0"])
            #expect(parts.map { $0["points"] as? Int } == [2, 6, 15, 0])
            #expect(parts.map { $0["source"] as? String } == ["log", "llm", "llm", "zeros"])
            #expect(score["change"] as? Int == 23 && score["change_by_weights"] as? Int == 23)
            #expect(score["score_before"] as? Int == 490 && score["score_after"] as? Int == 513)
            #expect(score["level_before"] as? String == "PHASE1_STRANGER")
            #expect(score["level_after"] as? String == "PHASE2_ACQUAINTANCE")
            for text in [
                "llm, model-1", "because the memory service gave none: http-400", "490 → 513",
                "PHASE1_STRANGER → PHASE2_ACQUAINTANCE",
            ] { #expect(table.contains(text), "\(table)") }
            withExtendedLifetime(worker) {}
        }

        /// Scored by the Python service, or with other weights: what is not known is not made up.
        @Test func aScoreMadeElsewhereIsExplainedAsFarAsItSays() throws {
            let scene = try Scene()
            try scene.addConversation("c1", log: Scene.threeWords, status: "PROCESSED")
            try scene.sql(
                """
                UPDATE conversation_events SET friendship_score_change = 40,
                    new_friendship_level = 'PHASE1_STRANGER', processed_at = now(),
                    score_calculation_details = '{"total_turns": 10,
                        "session_emotion": "interesting",
                        "user_initiated_questions": 2, "new_memories_count": 0,
                        "total_exchange_score": 40}'
                """
            )
            let (json, table) = try explain(scene, "c1")
            let score = try #require(json["score"] as? [String: Any])
            #expect(score["change"] as? Int == 40 && score["change_by_weights"] as? Int == 31)
            #expect(score["score_before"] == nil)
            #expect(table.contains("not recorded") && table.contains("they have changed"))
            try scene.sql("UPDATE conversation_events SET score_calculation_details = NULL")
            #expect(because(try explain(scene, "c1").json).contains("does not say how"))
        }

        /// Fault: a conversation has no score, and no command says where it is.
        @Test func whatHasNoScoreSaysWhereItStands() throws {
            let scene = try Scene(settings: ["RETRY_BACKOFF_SECONDS": "600"])
            try scene.settings.topology.ensure(at: scene.settings.endpoint, logger: quiet)
            for id in ["queued", "skipped", "taken", "delayed"] {
                try scene.addConversation(id, log: Scene.threeWords)
            }
            try scene.publish(ids: "queued")
            try scene.sql(
                """
                UPDATE conversation_events SET
                    status = CASE conversation_id WHEN 'skipped' THEN 'SKIPPED'
                        WHEN 'taken' THEN 'PROCESSING' WHEN 'delayed' THEN 'FAILED' ELSE status END,
                    attempt_count = 1, updated_at = now() - interval '5 minutes',
                    created_at = now() - interval '5 minutes',
                    error_code = CASE conversation_id WHEN 'delayed' THEN 'TASK_TIMEOUT' END,
                    next_attempt_at = now() + interval '11 minutes'
                """
            )
            try scene.sql(
                """
                INSERT INTO amity_analyses (conversation_id, questions, emotion, model)
                VALUES ('delayed', 2, 'happy', 'model-1')
                """
            )
            let queued = try explain(scene, "queued").json
            #expect(queued["state"] as? String == "queued")
            #expect(because(queued).contains("It has waited for 5 min."))
            #expect(because(queued).contains("1 message waits in \(scene.name)."))
            #expect(because(queued).contains("the sweep queues it again in 5 min"))

            #expect(try explain(scene, "skipped").json["state"] as? String == "skipped")

            let taken = try explain(scene, "taken").json
            #expect(taken["state"] as? String == "processing")
            #expect(because(taken).contains("A worker of another kind took it 5 min ago"))
            #expect(because(taken).contains("as soon as a worker runs"))

            let (delayed, table) = try explain(scene, "delayed")
            #expect(delayed["state"] as? String == "delayed")
            #expect(delayed["error_code"] as? String == "TASK_TIMEOUT")
            #expect(delayed["attempts"] as? Int == 1)
            #expect(because(delayed).contains("runs again in about 10 min"))
            #expect((delayed["paid"] as? [String: Any])?["questions"] as? Int == 2)
            #expect(table.contains("2 questions, happy"))

            #expect(because(queued).contains("No worker consumes from \(scene.name)."))

            let unknown = try explain(scene, "absent").json
            #expect(unknown["state"] as? String == "unknown")
            #expect(because(unknown).contains("no row with this id"))
        }

        @Test func aDeadLetterIsFound() throws {
            let scene = try Scene(settings: ["MAX_ATTEMPTS": "1"])
            try scene.addConversation("bad", log: #"{"text":"canary"}"#)
            let worker = try scene.startWorker()
            try scene.publish(ids: "bad", "gone")
            try eventually("both are dead") { try scene.deadLetters.ready() == 2 }
            try eventually("the worker has reported") {
                try explain(scene, "gone").table.contains("1 worker consumes from")
            }
            let bad = try explain(scene, "bad").json
            #expect(bad["state"] as? String == "dead")
            #expect(bad["error_code"] as? String == "INVALID_LOG")
            #expect((bad["dead_letters"] as? [[String: Any]])?.count == 1)
            #expect(because(bad).contains("amity dead-letters retry --conversation bad"))
            let gone = try explain(scene, "gone").json
            #expect(gone["state"] as? String == "unknown")
            let deadLetters = try #require(gone["dead_letters"] as? [[String: Any]])
            #expect(deadLetters.map { $0["code"] as? String } == ["CONVERSATION_NOT_FOUND"])

            #expect(try scene.amity(["dead-letters", "purge", "--all", "--yes"]).status == 0)
            #expect(because(try explain(scene, "bad").json).contains("does not hold its message"))

            worker.signal(SIGKILL)
            #expect(try worker.waitForExit() == SIGKILL)
            try scene.sql(
                "UPDATE amity_workers SET in_flight = 3, heartbeat_at = now() - interval '1 minute'"
            )
            let left = because(try explain(scene, "bad").json)
            #expect(left.contains("No worker consumes from \(scene.name)."))
            #expect(left.contains("is gone without a word, with 3 messages in hand."))
        }

        /// Unmigrated, and with a broker that is away: what can be said is said.
        @Test func aBrokerThatIsAwayIsASentence() throws {
            let scene = try Scene(.python)
            try scene.addConversation("c1", log: Scene.threeWords)
            let (json, _) = try explain(scene, "c1")
            #expect(because(json).contains("is missing: amity migrate --topology"))
            #expect(because(json).contains("Workers are not registered here"))
            let away = try scene.amity(
                ["explain", "c1"],
                ["RABBITMQ_URL": "amqp://guest:guest@127.0.0.1:1/"]
            )
            #expect(away.status == 0)
            #expect(away.output.contains("The broker could not be asked"))
        }
    }
}
