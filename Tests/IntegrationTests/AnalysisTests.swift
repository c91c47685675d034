import Foundation
import Postgres
import TestSupport
import Testing

extension Integration {
    /// Questions, emotion and memories from services, through queue, analyser and database.
    struct AnalysisOverHTTP {
        @Test func servicesGiveTheNumbersAndTheDetailsSayWhichGaveWhat() throws {
            let stub = try StubServer.healthy()
            let scene = try Scene(settings: Scene.services(stub))
            try scene.addConversation("c1", log: Scene.threeWords)
            let worker = try scene.startWorker()
            try scene.publish(ids: "c1")
            try scene.waitUntilScored("c1")
            // 2 turns, 2 questions, interesting, 1 memory.
            #expect(try scene.score() == 2 + 6 + 15 + 5)
            let details = try scene.details(of: "c1")
            #expect(details["total_turns"] as? Int == 2)
            #expect(details["user_initiated_questions"] as? Int == 2)
            #expect(details["session_emotion"] as? String == "interesting")
            #expect(details["new_memories_count"] as? Int == 1)
            #expect(details["total_exchange_score"] as? Int == 28)
            #expect(details["score_before"] as? Int == 0)
            let sources = [
                "questions": "llm", "emotion": "llm", "memories": "memory-service",
                "model": "model-1",
            ]
            #expect(try scene.sources(of: "c1") == sources)
            #expect(try scene.keptAnalyses == 0)
            worker.expectSilence()
        }

        /// Fault: a conversation talks the model into numbers that it cannot bear out.
        @Test func hostileNumbersAreCappedByWhatTheUserSaid() throws {
            let stub = try StubServer {
                $0.isChat
                    ? .chat(questions: 1_000_000, emotion: "interesting")
                    : .json(#"{"status":"ok","count":1000000,"facts":[]}"#)
            }
            let scene = try Scene(settings: Scene.services(stub))
            try scene.addConversation("c1", log: Scene.threeWords)
            let worker = try scene.startWorker()
            try scene.publish(ids: "c1")
            try scene.waitUntilScored("c1")
            let details = try scene.details(of: "c1")
            #expect(details["user_initiated_questions"] as? Int == 3)
            #expect(details["new_memories_count"] as? Int == 9)
            worker.expectSilence()
        }

        /// A lesson makes no memories, and where the child said nothing there is nothing to ask
        /// about.
        @Test func noServiceIsAskedInVain() throws {
            let stub = try StubServer.healthy()
            let scene = try Scene(settings: Scene.services(stub))
            try scene.addConversation("lesson", user: "u1", log: Scene.threeWords)
            try scene.sql("UPDATE conversation_events SET bot_type = ' Next_Lesson '")
            try scene.addConversation("silent", user: "u2", log: #"[{"speaker":"pika"}]"#)
            let worker = try scene.startWorker()
            try scene.publish(ids: "lesson", "silent")
            try scene.waitUntilScored("lesson", "silent")
            #expect(try scene.score(of: "u1") == 2 + 6 + 15)
            #expect(try scene.sources(of: "lesson")["memories"] == "skipped")
            #expect(try scene.sources(of: "lesson")["questions"] == "llm")
            #expect(try scene.score(of: "u2") == 0)
            let silent = try scene.sources(of: "silent")
            #expect(
                silent == ["questions": "skipped", "emotion": "skipped", "memories": "skipped"]
            )
            #expect(stub.chats == 1 && stub.memoryCalls == 0)
            withExtendedLifetime(worker) {}
        }

        /// Each kind of fault, of one service and of the other: the other's numbers still count.
        @Test(arguments: [
            (StubServer.Answer.status(500), "http-500"), (.status(429), "http-429"),
            (.json("<html>"), "answer-malformed"), (.chat("no"), "answer-unusable"),
            (.hang, "timeout"), (.cutOff, "unreachable"), (.huge(1 << 20), "answer-too-large"),
            (.after(.seconds(60), .json("{}")), "timeout"),
        ])
        func oneThatFailsIsReplacedAndTheOtherCounts(
            fault: StubServer.Answer,
            code: String
        ) throws {
            let stub = try StubServer { $0.isChat ? fault : .memories(1) }
            let timeouts = ["LLM_TIMEOUT_SECONDS": "3", "MEMORY_API_TIMEOUT_SECONDS": "3"]
            let scene = try Scene(settings: Scene.services(stub, timeouts))
            try scene.addConversation("c1", user: "u1", log: Scene.threeWords)
            try scene.addConversation("c2", user: "u2", log: Scene.threeWords)
            let worker = try scene.startWorker()
            try scene.publish(ids: "c1")
            try scene.waitUntilScored("c1")
            #expect(try scene.score(of: "u1") == 2 + 5)
            let first = [
                "questions": "zeros", "emotion": "zeros", "memories": "memory-service",
                "llm_failure": code,
            ]
            #expect(try scene.sources(of: "c1") == first)

            stub.answer { $0.isChat ? .chat(questions: 1, emotion: "boring") : fault }
            try scene.publish(ids: "c2")
            try scene.waitUntilScored("c2")
            #expect(try scene.score(of: "u2") == 0)
            let second = try scene.sources(of: "c2")
            #expect(second["questions"] == "llm" && second["memories"] == "zeros")
            #expect(second["memory_service_failure"] == code)
            worker.expectSilence()
        }

        /// Fault: the model refuses the key, and all there is is a line without a cause.
        @Test func aServiceThatRefusesIsNamedEverywhere() throws {
            let stub = try StubServer {
                $0.path.hasPrefix("/v1/") ? .status(401) : .memories(1)
            }
            let scene = try Scene(settings: Scene.services(stub))
            let port = RawConnection.freePort()
            for number in 0..<6 { try scene.addConversation("c\(number)", log: Scene.threeWords) }
            let worker = try scene.startWorker(["HTTP_PORT": "\(port)"])
            try scene.publish(ids: (0..<6).map { "c\($0)" })
            try eventually("the circuit opens") {
                !worker.events("analysis.circuit-opened").isEmpty
            }
            let opened = worker.events("analysis.circuit-opened")[0]
            #expect(opened["service"] as? String == "llm" && opened["code"] as? String == "401")
            #expect((opened["remedy"] as? String)?.contains("LLM_API_KEY") == true)
            let metrics = try RawAnswer.get("/metrics", port: port).body
            for sample in [
                #"amity_service_circuit_open{service="chat-model"} 1"#,
                #"amity_service_circuit_open{service="memory-service"} 0"#,
                #"amity_link_problem{kind="refused",link="chat-model"} 1"#,
            ] { #expect(metrics.contains(sample + "\n"), "\(sample)") }
            let health = try RawAnswer.get("/health/ready", port: port)
            #expect(health.status == 200, "it scores all the same")
            #expect(health.body.contains(#""link":"chat-model""#))
            try eventually("its row says so") {
                try scene.statistics.workers().first?.problems.map(\.link) == ["chat-model"]
            }
            let status = try scene.amity(["status"]).output
            #expect(status.contains("chat-model refused (401), for "))
            #expect(status.contains("the chat model refuses the key (HTTP 401); check LLM_API_KEY"))
            let doctor = try scene.report([:]).findings.filter { $0.check == "analysis-services" }
            #expect(doctor.map(\.level) == ["warning"])
            #expect(doctor.first?.text.contains("check LLM_API_KEY") == true)
            for text in [status, metrics, health.body, "\(doctor)"] {
                #expect(!text.contains("canary"))
            }
            worker.expectSilence()
        }
    }
}
