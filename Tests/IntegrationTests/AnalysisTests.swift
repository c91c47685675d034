import Foundation
import Postgres
import TestSupport
import Testing

extension Scene {
    /// A conversation in which the child says something three times: two turns.
    static let threeWords = #"""
        [{"speaker":"user","turn_id":1,"text":"canary-words-4712"},
         {"speaker":"pika","turn_id":2,"text":"Hi"},{"speaker":"user","turn_id":3,"text":"Why?"},
         {"speaker":"pika","turn_id":4,"text":"So"},{"speaker":"other"},
         {"speaker":"user","turn_id":5,"text":"Oh"}]
        """#

    static let serviceKey = "canary-key-4711"

    /// Settings of a worker that asks a stub.
    static func services(
        _ stub: StubServer,
        fallback: String = "zeros",
        _ extra: [String: String] = [:]
    ) -> [String: String] {
        [
            "LLM_ANALYSIS_ENABLED": "true", "LLM_BASE_URL": "\(stub.url)/v1",
            "LLM_MODEL": "model-1",
            "LLM_API_KEY": serviceKey, "MEMORY_API_URL": stub.url, "ANALYSIS_FALLBACK": fallback,
        ].merging(extra) { _, new in new }
    }

    /// The details of a conversation's score.
    func details(of id: String) throws -> [String: Any] {
        let rows = try sql(
            """
            SELECT score_calculation_details FROM conversation_events WHERE conversation_id = $1
            """,
            .text(id)
        )
        let json = try #require(rows.data(0, 0))
        return try #require(try JSONSerialization.jsonObject(with: json) as? [String: Any])
    }

    func sources(of id: String) throws -> [String: String] {
        try #require(try details(of: id)["sources"] as? [String: String])
    }

    func waitUntilScored(_ ids: String..., within limit: Duration = .seconds(30)) throws {
        try eventually("\(ids) are scored", within: limit) {
            try ids.allSatisfy {
                try count("conversation_id = '\($0)' AND status = 'PROCESSED'") == 1
            }
        }
    }

    var keptAnalyses: Int {
        get throws { try sql("SELECT count(*) FROM amity_analyses").integer(0, 0) ?? -1 }
    }
}

extension StubServer.Request {
    var isChat: Bool { path == "/v1/chat/completions" }
}

extension StubServer {
    /// A chat model and a memory service that are well.
    static func healthy() throws -> StubServer {
        try StubServer { $0.isChat ? .chat(questions: 2, emotion: "interesting") : .memories(1) }
    }

    var chats: Int { requests.count { $0.isChat } }
    var memoryCalls: Int { requests.count { !$0.isChat } }
}

extension Integration {
    /// Questions, emotion and memories from services, through queue, analyser and database.
    struct AnalysisOverHTTP {
        /// Text and key are looked for in all that the worker has said.
        private func expectSilence(
            of worker: RunningWorker,
            sourceLocation: SourceLocation = #_sourceLocation
        ) {
            #expect(!worker.log.contains("canary"), sourceLocation: sourceLocation)
        }

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
            #expect(details["friendship_score_before"] as? Int == 0)
            let sources = [
                "questions": "llm", "emotion": "llm", "memories": "memory-service",
                "model": "model-1",
            ]
            #expect(try scene.sources(of: "c1") == sources)
            #expect(try scene.keptAnalyses == 0)
            expectSilence(of: worker)
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
            expectSilence(of: worker)
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
            expectSilence(of: worker)
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
            expectSilence(of: worker)
        }

        // MARK: Paid once

        /// Fault: one service fails and the message is retried: the other is asked, and paid,
        /// again.
        @Test func aRetryKeepsWhatWasPaidFor() throws {
            let stub = try StubServer {
                $0.isChat ? .chat(questions: 1, emotion: "happy") : .status(400)
            }
            let scene = try Scene(settings: Scene.services(stub, fallback: "retry"))
            try scene.addConversation("c1", log: Scene.threeWords)
            let worker = try scene.startWorker()
            try scene.publish(ids: "c1")
            try eventually("it waits for a retry") {
                try scene.count("error_code = 'ANALYSIS_UNAVAILABLE' AND status = 'FAILED'") == 1
            }
            #expect(try scene.keptAnalyses == 1)
            stub.answer { $0.isChat ? .status(500) : .memories(2) }
            try scene.waitUntilScored("c1")
            #expect(try scene.score() == 2 + 3 + 10)
            #expect(stub.chats == 1)
            #expect(try scene.sources(of: "c1")["questions"] == "llm")
            try eventually("nothing is left of it") { try scene.keptAnalyses == 0 }
            expectSilence(of: worker)
        }

        @Test func aRetryIsNotForEver() throws {
            let stub = try StubServer { _ in .status(400) }
            let scene = try Scene(
                settings: Scene.services(stub, fallback: "retry", ["MAX_ATTEMPTS": "2"])
            )
            try scene.addConversation("c1", log: Scene.threeWords)
            let worker = try scene.startWorker()
            try scene.publish(ids: "c1")
            let letter = try scene.deadLetters.take(1)[0]
            #expect(letter.header("amity-error-code") == "ANALYSIS_UNAVAILABLE")
            #expect(try scene.count("status = 'FAILED' AND attempt_count = 2") == 1)
            #expect(try scene.score() == 0)
            expectSilence(of: worker)
        }

        /// Fault: the worker is killed with the answer in its hand, before the effect is there.
        @Test func aCrashKeepsWhatWasPaidFor() throws {
            let stub = try StubServer.healthy()
            let scene = try Scene(settings: Scene.services(stub))
            try scene.addConversation("c1", log: Scene.threeWords)
            try scene.lock("SELECT FROM conversation_events FOR UPDATE")
            let worker = try scene.startWorker()
            try scene.publish(ids: "c1")
            try eventually("the answers are kept") { try scene.keptAnalyses == 1 }
            worker.signal(SIGKILL)
            #expect(try worker.waitForExit() == SIGKILL)
            try scene.sql("COMMIT")
            #expect(stub.requests.count == 2)
            let next = try scene.startWorker()
            try scene.waitUntilScored("c1")
            #expect(try scene.score() == 28)
            #expect(stub.requests.count == 2)
            try eventually("nothing is left of it") { try scene.keptAnalyses == 0 }
            withExtendedLifetime(next) {}
        }

        /// Fault: a team starts the worker on the Python service's tables and never migrates.
        @Test func withoutItsTableNothingIsKeptAndAllElseGoesOn() throws {
            let stub = try StubServer.healthy()
            let scene = try Scene(.python, settings: Scene.services(stub))
            try scene.addConversation("c1", user: "u1", log: Scene.threeWords)
            try scene.addConversation("c2", user: "u2", log: Scene.threeWords)
            let worker = try scene.startWorker()
            try scene.publish(ids: "c1", "c2")
            try scene.waitUntilScored("c1", "c2")
            #expect(try scene.score(of: "u1") == 28)
            #expect(try scene.score(of: "u2") == 28)
            #expect(worker.events("analyses.not-kept").count == 1)
            #expect(worker.events("message.retry-scheduled").isEmpty)
        }

        /// Fault: an analysis that two workers have paid for at once, or that no worker needs any
        /// more, stays for ever.
        @Test func whatIsOfNoUseIsThrownAway() throws {
            let stub = try StubServer.healthy()
            let scene = try Scene(settings: Scene.services(stub))
            try scene.addConversation("settled", status: "PROCESSED")
            try scene.addConversation("open")
            try scene.sql(
                """
                INSERT INTO amity_analyses (conversation_id, questions, created_at) VALUES
                    ('settled', 1, now()), ('open', 1, now()),
                    ('gone', 1, now() - interval '31 days')
                """
            )
            let worker = try scene.startWorker()
            try eventually("upkeep has come by", within: .seconds(40)) {
                try scene.keptAnalyses == 1
            }
            let left = try scene.sql("SELECT conversation_id FROM amity_analyses")
            #expect(left.string(0, 0) == "open")
            withExtendedLifetime(worker) {}
        }

        // MARK: Away, and many

        /// Fault: both services are down. Every conversation waits for them, one per thread, or no
        /// worker notices that they are back.
        @Test func withBothDownConversationsBatchAndTheReturnIsNoticed() throws {
            let stub = try StubServer { _ in .status(500) }
            let scene = try Scene(settings: Scene.services(stub))
            let count = 600
            for number in 0..<count + 1 {
                try scene.addConversation(
                    "c\(number)",
                    user: "u\(number % 50)",
                    log: Scene.threeWords
                )
            }
            let worker = try scene.startWorker()
            try scene.publish(ids: (0..<20).map { "c\($0)" })
            try eventually("the circuits are open") {
                worker.events("analysis.circuit-opened").count == 2
            }
            let asked = stub.requests.count
            try scene.publish(ids: (20..<count).map { "c\($0)" })
            try eventually("all are scored") { try scene.count("status = 'PROCESSED'") == count }
            // Probes at most: one a service for each pause.
            #expect(stub.requests.count - asked < 20)
            let largest = worker.events("batch.handled").compactMap { event in
                (event["size"] as? Int) ?? (event["size"] as? String).flatMap { Int($0) }
            }.max()
            #expect(largest ?? 0 > 1)
            #expect(try scene.sources(of: "c599")["llm_failure"] != nil)

            stub.answer { $0.isChat ? .chat(questions: 2, emotion: "happy") : .memories(1) }
            var next = count
            try eventually("they are asked again", within: .seconds(100)) {
                try scene.addConversation("back\(next)", user: "back", log: Scene.threeWords)
                try scene.publish(ids: "back\(next)")
                try scene.waitUntilScored("back\(next)")
                next += 1
                let sources = try scene.sources(of: "back\(next - 1)")
                return sources["questions"] == "llm" && sources["memories"] == "memory-service"
            }
            #expect(worker.events("analysis.circuit-closed").count == 2)
            expectSilence(of: worker)
        }

        /// Fault: threads share connections, permits or the cooperative pool, and wait for each
        /// other.
        @Test func fourHundredAndEightyWaitAtOnce() throws {
            let stub = try StubServer { request in
                .after(
                    .seconds(5),
                    request.isChat ? .chat(questions: 1, emotion: "happy") : .memories(1)
                )
            }
            let scene = try Scene(
                settings: Scene.services(
                    stub,
                    ["MESSAGE_CONCURRENCY_PER_WORKER": "480", "LOG_LEVEL": "error"]
                )
            )
            try scene.sql(
                """
                INSERT INTO conversation_events (conversation_id, user_id, bot_type, bot_id, bot_name,
                    start_time, end_time, conversation_log, status)
                SELECT 'c' || n, 'user-' || n % 100, 'TALK', 'bot-1', 'Pika', now(), now(),
                    $1::jsonb, 'PENDING'
                FROM generate_series(0, 479) AS n
                """,
                .text(Scene.threeWords)
            )
            let worker = try scene.startWorker()
            try scene.publish(ids: (0..<480).map { "c\($0)" })
            var mostSessions = 0
            try eventually("all are scored", within: .seconds(60)) {
                let sessions = try scene.sql(
                    "SELECT 1 FROM pg_stat_activity WHERE usename = $1",
                    .text(scene.name)
                )
                mostSessions = max(mostSessions, sessions.count)
                return try scene.count("status = 'PROCESSED'") == 480
            }
            // Each asks both services.
            #expect(stub.mostUnderWay == 960)
            #expect(mostSessions <= 32)
            let sum = try scene.sql("SELECT sum(friendship_score)::bigint FROM friendship_status")
            #expect(sum.integer(0, 0) == 480 * (2 + 3 + 5))
            #expect(worker.isRunning)
        }

        /// Fault: a deploy waits for an answer that does not come, or spends an attempt on it.
        @Test func aDrainGivesBackWhatWaitsWithoutAnAttempt() throws {
            let stub = try StubServer { _ in .hang }
            let drain = ["DRAIN_TIMEOUT_SECONDS": "3", "LLM_TIMEOUT_SECONDS": "100"]
            let scene = try Scene(settings: Scene.services(stub, drain))
            try scene.addConversation("c1", log: Scene.threeWords)
            let worker = try scene.startWorker()
            try scene.publish(ids: "c1")
            try eventually("both are asked") { stub.requests.count == 2 }
            worker.signal(SIGTERM)
            #expect(try worker.waitForExit() == 0)
            #expect(try scene.queue.ready() == 1)
            #expect(try scene.count("status = 'PENDING' AND attempt_count = 0") == 1)
            #expect(worker.events("consumer.drain-timed-out").isEmpty)
        }
    }
}
