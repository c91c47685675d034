import Foundation
import Messaging
import Testing

extension Integration {
    struct Reliability {
        /// Fault: one message kills every worker that handles it. Each death also costs the other
        /// messages that the worker had in hand.
        @Test(arguments: ["1", "32"])
        func aMessageThatKillsItsWorkerIsQuarantinedAndTheOtherMessagesLoseNothing(
            batch: String
        ) throws {
            let scene = try Scene(settings: ["BATCH_MAX": batch, "PREFETCH_COUNT": "64"])
            let ids = (0..<300).map { $0 == 20 ? "killer" : "c\($0)" }
            for id in ids { try scene.addConversation(id) }
            try scene.publish(ids.map { Array(#"{"conversation_id":"\#($0)"}"#.utf8) })
            let settings = ["AMITY_KILLER": "killer", "MESSAGE_CONCURRENCY_PER_WORKER": "4"]
            var workers = try (0..<2).map { _ in try scene.startWorker(settings) }
            var deaths = 0
            try eventually("the killer is put aside", within: .seconds(60)) {
                for index in workers.indices where !workers[index].isRunning {
                    deaths += 1
                    workers[index] = try scene.startWorker(settings)
                }
                return try scene.count("status = 'PROCESSED'") == 299 && scene.queue.isDrained()
            }
            let deadLetter = try #require(try scene.deadLetters.take(1).first)
            #expect(deadLetter.body == Array(#"{"conversation_id":"killer"}"#.utf8))
            #expect(deadLetter.header(HeaderName.code) == "WORKER_CRASHED")
            // One before the ledger knew the message, one in a batch, three alone.
            #expect(deaths == 5)
            let failed = "status = 'FAILED' AND error_code = 'WORKER_CRASHED'"
            #expect(try scene.count("\(failed) AND next_attempt_at > '2999-12-31'") == 1)
            #expect(try scene.count("attempt_count = 1 AND status = 'PROCESSED'") == 299)
            #expect(try scene.score() == 299)
        }

        /// Without `amity migrate` there is no ledger; what comes again is worked on all the same.
        @Test func withoutItsTablesCrashAttributionIsOffAndSaysSo() throws {
            let scene = try Scene(.python)
            for id in ["a", "b"] { try scene.addConversation(id) }
            try scene.sql("INSERT INTO friendship_status (user_id) VALUES ('user')")
            try scene.lock("SELECT 1 FROM friendship_status FOR UPDATE")
            try scene.publish(ids: "a", "b")
            let first = try scene.startWorker()
            try eventually("it has them in hand") { try scene.isWorkerWaiting() }
            first.signal(SIGKILL)
            #expect(try first.waitForExit() == SIGKILL)
            try scene.sql("COMMIT")
            let second = try scene.startWorker()
            try eventually("both are processed") { try scene.count("status = 'PROCESSED'") == 2 }
            #expect(second.events("crash-attribution.off").count == 1)
        }

        /// Fault: a worker must be taken off the queue, and a restart would drop its work.
        @Test func intakeGoesOffAndOnWithoutARestart() throws {
            let scene = try Scene(settings: ["MESSAGE_CONCURRENCY_PER_WORKER": "1"])
            for number in 0..<20 { try scene.addConversation("c\(number)") }
            try scene.sql("INSERT INTO friendship_status (user_id) VALUES ('user')")
            try scene.lock("SELECT 1 FROM friendship_status FOR UPDATE")
            let worker = try scene.startWorker(["BATCH_MAX": "4", "PREFETCH_COUNT": "20"])
            try worker.waitUntilConsuming()
            try eventually("it is ready") { worker.events("worker.ready").count == 1 }
            try scene.publish((0..<20).map { Array(#"{"conversation_id":"c\#($0)"}"#.utf8) })
            try eventually("a batch waits for the lock") { try scene.isWorkerWaiting() }

            worker.signal(SIGUSR1)
            try eventually("intake is off") { !worker.events("consumer.paused").isEmpty }
            let reasons = worker.events("worker.not-ready").last?["reasons"]
            #expect("\(reasons ?? "")".contains("intake is switched off"))
            try scene.sql("COMMIT")
            try eventually("what it had begun is processed") {
                try scene.count("status = 'PROCESSED'") > 0
            }
            let begun = try scene.count("status = 'PROCESSED'")
            try eventually("the rest is back") { try scene.queue.ready() == 20 - begun }
            #expect(begun <= 4)

            worker.signal(SIGUSR2)
            try eventually("all are processed") { try scene.count("status = 'PROCESSED'") == 20 }
            #expect(worker.events("worker.ready").count == 2)
            #expect(worker.events("consumer.started").count == 1)
            #expect(try scene.count("attempt_count = 1") == 20)
        }

        /// Fault: the database is away for so long that the messages a worker holds could be done
        /// by others, or stand in the way of the broker's own timeout.
        @Test func aLongOutageCancelsTheConsumerAndSpendsNothing() throws {
            let scene = try Scene(settings: ["MESSAGE_CONCURRENCY_PER_WORKER": "2"])
            for number in 0..<20 { try scene.addConversation("c\(number)") }
            let worker = try scene.startWorker(["BATCH_MAX": "2", "PREFETCH_COUNT": "20"])
            try worker.waitUntilConsuming()
            try scene.sql("ALTER TABLE friendship_status RENAME TO away")
            try scene.publish((0..<20).map { Array(#"{"conversation_id":"c\#($0)"}"#.utf8) })
            try eventually("the consumer is cancelled") {
                !worker.events("consumer.paused").isEmpty
            }
            try eventually("what it cannot begin is back") { try scene.queue.ready() >= 16 }
            let reasons = worker.events("worker.not-ready").last?["reasons"]
            #expect("\(reasons ?? "")".contains("the schema is not as Amity needs it"))
            // The worker asks the database every second whether it is back.
            let later = ContinuousClock.now + .seconds(7)
            try eventually("it lasts") { ContinuousClock.now > later }
            try scene.sql("ALTER TABLE away RENAME TO friendship_status")
            try eventually("all are processed") { try scene.count("status = 'PROCESSED'") == 20 }
            #expect(try scene.count("attempt_count = 1") == 20)
            #expect(worker.events("database.unavailable").count == 1)
            #expect(worker.events("consumer.resumed").count == 1)
            #expect(try scene.deadLetters.ready() == 0)
        }

        @Test func anotherHostIsTriedWhenOneIsAway() throws {
            let scene = try Scene()
            let url = try #require(Servers.environment["RABBITMQ_URL"])
            let worker = try scene.startWorker([
                "RABBITMQ_URL": [
                    url.replacing(/@.*:\d+/, with: "@127.0.0.1:1"),
                    url.replacing(/@.*:\d+/, with: "@nowhere.invalid:5672"), url,
                ].joined(separator: ",")
            ])
            try worker.waitUntilConsuming()
            // It may begin with any of the three, and goes on in their order.
            let errors = worker.events("consumer.connection-lost").map { "\($0["error"] ?? "")" }
            let wanted = ["127.0.0.1:1", "resolve nowhere.invalid"].suffix(errors.count)
            #expect(errors.count == wanted.count)
            for (error, part) in zip(errors, wanted) { #expect(error.contains(part)) }
            let host = worker.events("consumer.started").first?["host"] as? String
            #expect(host.map(url.contains) == true)
        }
    }

    struct Sweep {
        private static let old = "now() - interval '2 minutes'"

        private func age(_ id: String, _ scene: Scene) throws {
            try scene.sql(
                """
                UPDATE conversation_events SET created_at = \(Self.old), updated_at = \(Self.old)
                WHERE conversation_id = $1
                """,
                .text(id)
            )
        }

        /// Fault: the publish after the insert was lost, or the worker that had the message in hand
        /// died. No worker would look at the conversation for six hours.
        @Test(arguments: Scene.Tables.allCases)
        func whatWasLostIsPutOnTheQueueAgainAndNothingElse(tables: Scene.Tables) throws {
            let scene = try Scene(
                tables,
                settings: ["SWEEP_AFTER_SECONDS": "60", "TASK_TIMEOUT_SECONDS": "30"]
            )
            for (id, status) in [
                ("lost", "PENDING"), ("young", "PENDING"), ("due", "FAILED"), ("later", "FAILED"),
                ("dead", "FAILED"), ("stuck", "PROCESSING"), ("done", "PROCESSED"),
                ("skipped", "SKIPPED"),
            ] {
                try scene.addConversation(id, status: status)
                if id != "young" { try age(id, scene) }
            }
            for (id, due) in [
                ("due", Self.old), ("later", "now() + interval '1 hour'"), ("dead", "'3000-01-01'"),
            ] {
                try scene.sql(
                    """
                    UPDATE conversation_events SET next_attempt_at = \(due), attempt_count = 9
                    WHERE conversation_id = $1
                    """,
                    .text(id)
                )
            }
            let workers = try (0..<2).map { _ in try scene.startWorker() }
            let swept = "conversation_id IN ('lost', 'due', 'stuck')"
            try eventually("the lost ones are processed") {
                try scene.count("status = 'PROCESSED' AND \(swept)") == 3
            }
            try eventually("it is said") {
                workers.flatMap { $0.events("sweep.requeued") }
                    .compactMap { $0["conversations"] as? Int }.reduce(0, +) == 3
            }
            #expect(try scene.score() == 3)
            #expect(try scene.count("attempt_count = 0 AND conversation_id = 'young'") == 1)
            #expect(try scene.count("status = 'FAILED'") == 2)
            #expect(try scene.deadLetters.ready() == 0)
        }

        /// Fault: a backlog of a day looks like a day of lost messages, and every sweep doubles it.
        @Test func aLongQueueIsLeftToItself() throws {
            let scene = try Scene(settings: ["SWEEP_AFTER_SECONDS": "10", "PREFETCH_COUNT": "2"])
            for id in ["a", "b", "c"] {
                try scene.addConversation(id)
                try age(id, scene)
            }
            let worker = try scene.startWorker()
            try worker.waitUntilConsuming()
            worker.signal(SIGUSR1)
            try eventually("intake is off") { !worker.events("consumer.paused").isEmpty }
            try scene.publish(ids: "x", "y", "z")
            try eventually("it has looked twice") {
                worker.events("sweep.queue-is-long").count >= 2
            }
            #expect(worker.events("sweep.requeued").isEmpty)
        }

        @Test func deadLettersThatAreTooOldAreThrownAway() throws {
            let scene = try Scene()
            for (body, failedAt) in [
                ("old", "2026-01-01T00:00:00Z"), ("of no age", nil), ("new", "now"),
            ] {
                var properties = MessageProperties()
                let now = Date().formatted(.iso8601)
                properties.headers[HeaderName.lastFailure] = failedAt.map {
                    .string($0 == "now" ? now : $0)
                }
                try scene.bury(Array(body.utf8), properties)
            }
            let worker = try scene.startWorker(["DEAD_LETTER_RETENTION_DAYS": "30"])
            try eventually("it is said") { !worker.events("dead-letters.expired").isEmpty }
            let left = try scene.deadLetters.take(2)
            #expect(Set(left.map(\.body)) == [Array("of no age".utf8), Array("new".utf8)])
            #expect(try scene.deadLetters.isDrained())
        }
    }
}
