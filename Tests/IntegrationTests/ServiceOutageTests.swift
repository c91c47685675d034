import Foundation
import Postgres
import TestSupport
import Testing

extension Integration {
    /// Services that are away or slow, and many conversations that wait for them.
    struct ServiceOutage {
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
            worker.expectSilence()
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
                INSERT INTO conversation_events (conversation_id, user_id, bot_type, bot_id,
                    bot_name, start_time, end_time, conversation_log, status)
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
