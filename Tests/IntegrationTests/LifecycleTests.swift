import Foundation
import Messaging
import Testing

extension Integration {
    struct Lifecycle {
        /// The owner's lock on a user's row makes the work take as long as the test wants.
        @Test(arguments: [SIGTERM, SIGINT])
        func aSignalFinishesWhatRunsAndGivesBackTheRest(signal: Int32) throws {
            let scene = try Scene()
            for number in 0..<40 { try scene.addConversation("c\(number)") }
            try scene.sql("INSERT INTO friendship_status (user_id) VALUES ('user')")
            try scene.publish((0..<40).map { Array(#"{"conversation_id":"c\#($0)"}"#.utf8) })
            try scene.lock("SELECT 1 FROM friendship_status FOR UPDATE")
            let worker = try scene.startWorker([
                "MESSAGE_CONCURRENCY_PER_WORKER": "1", "BATCH_MAX": "8", "PREFETCH_COUNT": "40",
            ])
            try eventually("a batch waits for the lock") {
                try scene.isWorkerWaiting()
            }
            worker.signal(signal)
            try eventually("the rest is back in the queue") { try scene.queue.ready() == 32 }
            try scene.sql("COMMIT")
            #expect(try worker.waitForExit() == 0)
            #expect(try scene.count("status = 'PROCESSED'") == 8)
            #expect(try scene.queue.ready() == 32)
            #expect(try scene.count("attempt_count > 0") == 8)
            #expect(worker.events("worker.stopped").count == 1)
        }

        /// Fault: a drain that waits for ever for a handler that is stuck.
        @Test func aDrainEndsWhenItsTimeIsOver() throws {
            let scene = try Scene()
            try scene.addConversation("c1")
            try scene.sql("INSERT INTO friendship_status (user_id) VALUES ('user')")
            try scene.lock("SELECT 1 FROM friendship_status FOR UPDATE")
            let worker = try scene.startWorker(["DRAIN_TIMEOUT_SECONDS": "1"])
            try scene.publish(ids: "c1")
            try eventually("the message waits for the lock") {
                try scene.isWorkerWaiting()
            }
            worker.signal(SIGTERM)
            #expect(try worker.waitForExit() == 0)
            try scene.sql("COMMIT")
            try eventually("it is back in the queue") { try scene.queue.ready() == 1 }
            #expect(try scene.count("status = 'PENDING' AND attempt_count = 0") == 1)
        }

        /// For the operator who cannot wait: what was unsettled is the broker's again.
        @Test func aSecondSignalEndsAtOnce() throws {
            let scene = try Scene()
            try scene.addConversation("c1")
            try scene.sql("INSERT INTO friendship_status (user_id) VALUES ('user')")
            try scene.lock("SELECT 1 FROM friendship_status FOR UPDATE")
            let worker = try scene.startWorker(["DRAIN_TIMEOUT_SECONDS": "3600"])
            try scene.publish(ids: "c1")
            try eventually("the message waits for the lock") { try scene.isWorkerWaiting() }
            worker.signal(SIGTERM)
            try eventually("the drain has begun") { !worker.events("consumer.draining").isEmpty }
            worker.signal(SIGTERM)
            let status = try worker.waitForExit()
            #expect(status == SIGTERM, "\(worker.log)")
            try scene.sql("COMMIT")
            try eventually("it is back in the queue") { try scene.queue.ready() == 1 }
            // The database may yet carry out what it was asked for: that is how a worker may end at
            // any time.
            let next = try scene.startWorker()
            try eventually("it is acked") { try scene.queue.isDrained() }
            #expect(try scene.count("status = 'PROCESSED' AND attempt_count = 1") == 1)
            #expect(try scene.score() == 1)
            withExtendedLifetime(next) {}
        }

        /// Fault: a full disk under the log, or a log reader that has gone, takes every worker
        /// down.
        @Test func aLogThatTakesNothingStopsNoWorker() throws {
            let scene = try Scene()
            try scene.addConversation("c1")
            let full = try #require(FileHandle(forWritingAtPath: "/dev/full"))
            let closed = Pipe()
            try closed.fileHandleForReading.close()
            for log in [full, closed.fileHandleForWriting] {
                try scene.sql("UPDATE conversation_events SET status = 'PENDING'")
                let worker = try scene.startWorker(log: log)
                try scene.publish(ids: "c1")
                try eventually("c1 is processed") { try scene.count("status = 'PROCESSED'") == 1 }
                worker.signal(SIGTERM)
                #expect(try worker.waitForExit() == 0)
            }
        }

        /// Fault: a statement that never ends keeps its thread, or spoils its batch.
        @Test func aConversationThatTakesTooLongIsGivenUpAloneAndItsThreadGoesOn() throws {
            let scene = try Scene(settings: ["MAX_ATTEMPTS": "2", "TASK_TIMEOUT_SECONDS": "1"])
            try scene.sql(
                """
                CREATE FUNCTION stall() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    IF NEW.conversation_id = 'slow' AND NEW.status = 'PROCESSED' THEN
                        PERFORM pg_sleep(60);
                    END IF;
                    RETURN NEW;
                END $$
                """
            )
            try scene.sql(
                """
                CREATE TRIGGER stall BEFORE UPDATE ON conversation_events
                FOR EACH ROW EXECUTE FUNCTION stall()
                """
            )
            for id in ["a", "slow", "b"] { try scene.addConversation(id, user: id) }
            try scene.publish(ids: "a", "slow", "b")
            let worker = try scene.startWorker(["MESSAGE_CONCURRENCY_PER_WORKER": "1"])
            let dead = try #require(try scene.deadLetters.take(1).first)
            #expect(dead.header(HeaderName.code) == "TASK_TIMEOUT")
            #expect(try scene.count("status = 'PROCESSED'") == 2)
            #expect(try scene.count("error_code = 'TASK_TIMEOUT' AND attempt_count = 2") == 1)
            #expect(worker.events("message.dead-lettered").first?["subject"] as? String == "slow")
        }

        @Test func unusableSettingsEndWith78AndNameThemselves() throws {
            let result = try Command.run(
                Command.amity,
                ["worker"],
                environment: [
                    "BATCH_MAX": "0", "PREFETCH_COUNT": "x",
                    "DATABASE_URL": "nonsense canary-secret",
                ]
            )
            #expect(result.status == 78)
            for name in ["BATCH_MAX", "PREFETCH_COUNT", "DATABASE_URL"] {
                #expect(result.error.contains(name))
            }
            #expect(!result.error.contains("canary-secret"))
        }

        @Test func settingsComeFromADotEnvFileAndTheEnvironmentWins() throws {
            let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try Data("BATCH_MAX='0'\nPREFETCH_COUNT=0\n".utf8)
                .write(to: folder.appending(path: ".env"))
            let result = try Command.run(
                URL(fileURLWithPath: "/usr/bin/env"),
                ["-C", folder.path, Command.amity.path, "worker"],
                environment: ["PREFETCH_COUNT": "y"]
            )
            #expect(result.status == 78)
            #expect(result.error.contains("BATCH_MAX: '0'"))
            #expect(result.error.contains("PREFETCH_COUNT: 'y'"))
            try FileManager.default.removeItem(at: folder)
        }

        /// A worker that starts before its broker or its database waits for them.
        @Test func anOutageOfTheDatabaseIsWaitedOutWithoutAnAttempt() throws {
            let scene = try Scene()
            try scene.addConversation("c1")
            let worker = try scene.startWorker()
            try worker.waitUntilConsuming()
            try scene.sql("ALTER TABLE friendship_status RENAME TO away")
            try scene.publish(ids: "c1")
            try eventually("the worker says so") {
                !worker.events("database.unavailable").isEmpty
            }
            try scene.sql("ALTER TABLE away RENAME TO friendship_status")
            try eventually("c1 is processed") { try scene.count("status = 'PROCESSED'") == 1 }
            #expect(try scene.count("attempt_count = 1") == 1)
            #expect(worker.events("database.unavailable").count == 1)
            try eventually("the end is logged once") {
                worker.events("database.available").count == 1
            }
            #expect(worker.events("message.retry-scheduled").isEmpty)
        }

        @Test func aClosedConnectionIsOpenedAgain() throws {
            let scene = try Scene()
            let worker = try scene.startWorker()
            try worker.waitUntilConsuming()
            try Servers.rabbitmqctl("close_all_connections", "test")
            try eventually("the worker consumes again") {
                worker.events("consumer.started").count == 2
            }
            try scene.addConversation("c1")
            try scene.publish(ids: "c1")
            try eventually("c1 is processed") { try scene.count("status = 'PROCESSED'") == 1 }
            #expect(worker.events("consumer.started").last?["downtime_seconds"] != nil)
        }

        /// Fault: alive, connected, and given nothing while messages wait. Here another consumer is
        /// the queue's single active one; whatever the cause, the worker says so and tries anew.
        @Test func aWorkerThatIsGivenNothingSaysSoAndRecoversWhenItCan() throws {
            let scene = try Scene(settings: ["STALL_TIMEOUT_SECONDS": "1"])
            try scene.queue.declare([("x-single-active-consumer", .bool(true))])
            for number in 0..<3 { try scene.addConversation("c\(number)") }
            try scene.publish(ids: "c0", "c1", "c2")
            var worker: RunningWorker?
            try scene.queue.whileHoldingOne {
                worker = try scene.startWorker()
                try eventually("the worker says so") {
                    worker?.log.contains("are ready and none is delivered") == true
                }
                try eventually("and tries anew") {
                    (worker?.events("consumer.started").count ?? 0) >= 2
                }
            }
            try eventually("all are processed") { try scene.count("status = 'PROCESSED'") == 3 }
            withExtendedLifetime(worker) {}
        }

        @Test func aQuietQueueIsNoStall() throws {
            let scene = try Scene(settings: ["STALL_TIMEOUT_SECONDS": "1"])
            let worker = try scene.startWorker()
            try eventually("the worker has looked twice") {
                worker.events("consumer.silent").count >= 2
            }
            #expect(worker.events("consumer.connection-lost").isEmpty)
            #expect(worker.events("consumer.started").count == 1)
        }

        /// Children's words appear in no log, whatever happens to their message.
        @Test func noTextOfAConversationReachesALog() throws {
            let scene = try Scene(settings: ["MAX_ATTEMPTS": "1", "LOG_LEVEL": "trace"])
            let canary = "canary-of-a-child"
            let log = #"[{"speaker":"user","text":"\#(canary)"},{"speaker":"pika"}]"#
            try scene.addConversation("good", log: log)
            try scene.addConversation("item", log: #"["\#(canary)"]"#)
            try scene.addConversation(
                "content",
                log: #"[{"character":"\#(canary)","content":{"\#(canary)":1}}]"#
            )
            let worker = try scene.startWorker()
            try scene.publish(ids: "good", "item", "content", "unknown")
            try scene.publish([Array("\(canary)".utf8), Array(#"{"x":"\#(canary)""#.utf8)])
            let dead = try scene.deadLetters.take(5)
            try eventually("good is processed") { try scene.count("status = 'PROCESSED'") == 1 }
            worker.signal(SIGTERM)
            #expect(try worker.waitForExit() == 0)
            #expect(worker.log.contains("conversation.scored"))
            #expect(!worker.log.contains(canary))
            for message in dead {
                #expect(!"\(message.properties.headers)".contains(canary))
            }
            #expect(try scene.count("error_details LIKE '%canary%'") == 0)
        }
    }
}
