import Foundation
import Postgres
import TestSupport
import Testing

extension Integration {
    /// What a service has answered is kept until the conversation is scored.
    struct PaidAnalysis {
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
            worker.expectSilence()
        }

        @Test func aRetryIsNotForEver() throws {
            let stub = try StubServer { _ in .status(400) }
            let scene = try Scene(
                settings: Scene.services(stub, fallback: "retry", ["MAX_ATTEMPTS": "2"])
            )
            try scene.addConversation("c1", log: Scene.threeWords)
            let worker = try scene.startWorker()
            try scene.publish(ids: "c1")
            let dead = try scene.deadLetters.take(1)[0]
            #expect(dead.header("amity-error-code") == "ANALYSIS_UNAVAILABLE")
            #expect(try scene.count("status = 'FAILED' AND attempt_count = 2") == 1)
            #expect(try scene.score() == 0)
            worker.expectSilence()
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
    }
}
