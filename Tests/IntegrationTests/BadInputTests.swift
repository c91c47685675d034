import Foundation
import Messaging
import Testing

extension Integration {
    struct BadInput {
        @Test func badBodiesAreDeadLetteredOnceWithTheirReasonAndTheBodyUntouched() throws {
            let scene = try Scene()
            try scene.addConversation("good")
            let bodies: [[UInt8]] = [
                Array("not JSON".utf8), Array("[]".utf8), [], Array("{}".utf8), [0xFF, 0xFE],
                Array(#"{"conversation_id":""}"#.utf8), Array(#"{"conversation_id":7}"#.utf8),
                Array(#"{"conversation_id":"a\u0000b"}"#.utf8),
                Array(#"{"conversation_id":"\#(String(repeating: "x", count: 256))"}"#.utf8),
                Array(String(repeating: "[", count: 10_000).utf8),
                Array(repeating: UInt8(ascii: " "), count: 1 << 20),
            ]
            let worker = try scene.startWorker()
            try scene.publish(bodies)
            try scene.publish(ids: "good")
            let dead = try scene.deadLetters.take(bodies.count)
            #expect(Set(dead.map(\.body)) == Set(bodies))
            for message in dead {
                #expect(message.header(HeaderName.code) == "INVALID_MESSAGE")
                #expect(!message.header(HeaderName.reason).isEmpty)
                #expect(message.properties.headers[HeaderName.attempts] == .integer(1))
            }
            try eventually("the worker goes on") { try scene.count("status = 'PROCESSED'") == 1 }
            try eventually("every delivery is settled") { try scene.queue.isDrained() }
            #expect(try scene.deadLetters.isDrained(), "a dead letter came twice")
            withExtendedLifetime(worker) {}
        }

        @Test func logsThatCannotBeScoredAreDeadLetteredAndTheirRowsSayWhy() throws {
            let scene = try Scene(.pythonZoned)
            let bad = ["object": "{}", "text": #""text""#, "null": "null", "item": "[1]"]
            for (id, log) in bad { try scene.addConversation(id, log: log) }
            try scene.addConversation("good")
            let worker = try scene.startWorker()
            try scene.publish(ids: "object", "good", "text", "null", "item")
            let dead = try scene.deadLetters.take(bad.count)
            #expect(Set(dead.map { $0.header(HeaderName.code) }) == ["INVALID_LOG"])
            try eventually("good is processed") { try scene.count("status = 'PROCESSED'") == 1 }
            let failed = """
                status = 'FAILED' AND error_code = 'INVALID_LOG' AND attempt_count = 1
                AND error_details LIKE 'conversation_log %' AND friendship_score_change IS NULL
                AND next_attempt_at > '2999-12-31'
                """
            #expect(try scene.count(failed) == bad.count)
            #expect(try scene.score() == 1)
            withExtendedLifetime(worker) {}
        }

        /// A producer may publish before its commit shows.
        @Test func anUnknownConversationIsRetriedUntilItShows() throws {
            let scene = try Scene()
            let worker = try scene.startWorker()
            try scene.publish(ids: "late")
            try eventually("a retry is scheduled") {
                !worker.events("message.retry-scheduled").isEmpty
            }
            try scene.addConversation("late")
            try eventually("late is processed") { try scene.count("status = 'PROCESSED'") == 1 }
        }

        @Test func aConversationThatNeverShowsIsDeadLetteredAfterItsAttempts() throws {
            let scene = try Scene(settings: ["MAX_ATTEMPTS": "3"])
            let worker = try scene.startWorker()
            var properties = MessageProperties()
            properties.headers = ["kept": .string("yes"), "x-death": .string("forged")]
            properties.correlationID = "correlation"
            let body = Array(#"{"conversation_id":"never"}"#.utf8)
            try scene.publish([body], properties)
            let dead = try #require(try scene.deadLetters.take(1).first)
            #expect(dead.body == body)
            #expect(dead.header(HeaderName.code) == "CONVERSATION_NOT_FOUND")
            #expect(dead.properties.headers[HeaderName.attempts] == .integer(3))
            #expect(dead.header("kept") == "yes")
            #expect(dead.properties.correlationID == "correlation")
            let (first, last) = (
                dead.header(HeaderName.firstFailure),
                dead.header(HeaderName.lastFailure)
            )
            #expect(first < last)
            #expect(worker.events("message.retry-scheduled").count == 2)
        }

        /// Fault: one row that the database refuses spoils the transaction of its whole batch.
        @Test func oneBadRowFailsAloneInItsBatch() throws {
            let scene = try Scene(settings: ["MAX_ATTEMPTS": "2"])
            try scene.sql(
                """
                CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    IF NEW.conversation_id = 'bad' AND NEW.status = 'PROCESSED' THEN
                        RAISE EXCEPTION 'refused';
                    END IF;
                    RETURN NEW;
                END $$
                """
            )
            try scene.sql(
                """
                CREATE TRIGGER refuse BEFORE UPDATE ON conversation_events
                FOR EACH ROW EXECUTE FUNCTION refuse()
                """
            )
            let good = (1...20).map { "good-\($0)" }
            for id in good + ["bad"] { try scene.addConversation(id) }
            let bodies = (good.prefix(10) + ["bad"] + good.suffix(10)).map {
                Array(#"{"conversation_id":"\#($0)"}"#.utf8)
            }
            // Queued first, so that the one thread finds them all and takes them as one batch.
            try scene.publish(bodies)
            let worker = try scene.startWorker(["MESSAGE_CONCURRENCY_PER_WORKER": "1"])
            let dead = try #require(try scene.deadLetters.take(1).first)
            #expect(dead.header(HeaderName.code) == "UNEXPECTED_ERROR")
            let reason = dead.header(HeaderName.reason)
            #expect(reason.hasPrefix("update_conversation: SQLSTATE P0001; in a function"))
            #expect(try scene.count("status = 'PROCESSED' AND attempt_count = 1") == 20)
            let failed = "status = 'FAILED' AND error_code = 'UNEXPECTED_ERROR'"
            #expect(try scene.count("\(failed) AND attempt_count = 2") == 1)
            #expect(try scene.count("\(failed) AND next_attempt_at > '2999-12-31'") == 1)
            #expect(try scene.score() == 20)
            withExtendedLifetime(worker) {}
        }

        /// Fault: headers that fit a frame when they come, and not with ours on top. The library
        /// cannot encode the copy, and each attempt costs the connection of all copies under way.
        @Test func aCopyTooLargeToEncodeShedsItsHeadersAndStopsNoOther() throws {
            let scene = try Scene()
            var properties = MessageProperties()
            properties.headers = ["large": .string(String(repeating: "x", count: 129_700))]
            try scene.publish([Array("bad 1".utf8)], properties)
            try scene.publish([Array("bad 2".utf8)])
            let worker = try scene.startWorker()
            let dead = try scene.deadLetters.take(2)
            #expect(Set(dead.map(\.body)) == [Array("bad 1".utf8), Array("bad 2".utf8)])
            for message in dead {
                #expect(message.header(HeaderName.code) == "INVALID_MESSAGE")
                #expect(message.properties.headers["large"] == nil)
            }
            try eventually("every delivery is settled") { try scene.queue.isDrained() }
            #expect(try scene.deadLetters.isDrained(), "a dead letter came twice")
            #expect(worker.events("publisher.connection-lost").isEmpty)
        }

        /// Fault: one queue that takes nothing holds up the copies for all others.
        @Test func aQueueThatTakesNothingHoldsUpOnlyItsOwnCopies() throws {
            let scene = try Scene(settings: ["MAX_ATTEMPTS": "2"])
            try scene.deadLetters.declare([
                ("x-max-length", .integer(0)), ("x-overflow", .string("reject-publish")),
            ])
            let worker = try scene.startWorker()
            try scene.publish([Array("no JSON".utf8)])
            try eventually("the dead letter waits") {
                !worker.events("publisher.message-not-taken").isEmpty
            }
            try scene.publish(ids: "late")
            try eventually("a retry is scheduled") {
                !worker.events("message.retry-scheduled").isEmpty
            }
            try scene.addConversation("late")
            try eventually("late is processed") { try scene.count("status = 'PROCESSED'") == 1 }
            #expect(worker.events("publisher.connection-lost").isEmpty)
        }

        /// Fault: an operator deletes the dead-letter queue under a running worker.
        @Test func aDeletedQueueIsMadeAgainForTheCopyThatNeedsIt() throws {
            let scene = try Scene()
            let worker = try scene.startWorker()
            try scene.publish([Array("bad 1".utf8)])
            #expect(try scene.deadLetters.take(1).count == 1)
            let declared = worker.events("topology.queue-declared").count
            try Servers.rabbitmqctl("delete_queue", scene.deadLetters.name)
            try scene.queue.put(Array("bad 2".utf8))
            try eventually("the queue is made again") {
                worker.events("topology.queue-declared").count > declared
            }
            #expect(worker.events("publisher.message-not-taken").count >= 1)
            #expect(try scene.deadLetters.take(1).map(\.body) == [Array("bad 2".utf8)])
        }

        /// Fault: bodies of any size, as many at once as the prefetch count, fill the memory.
        @Test func aBodyOverTheLimitIsDeadLetteredUnreadAndUntouched() throws {
            let scene = try Scene(settings: ["MESSAGE_MAX_BYTES": "100000"])
            try scene.addConversation("good")
            // Readable, so that only its size speaks against it.
            let id = Array(#"{"conversation_id":"good","log":""#.utf8)
            let bodies = (0..<5).map { number in
                id + Array(repeating: UInt8(ascii: "a") + UInt8(number), count: 3 << 20)
                    + Array(#""}"#.utf8)
            }
            try scene.publish(bodies)
            let worker = try scene.startWorker()
            let dead = try scene.deadLetters.take(bodies.count)
            #expect(Set(dead.map(\.body)) == Set(bodies))
            for message in dead {
                #expect(message.header(HeaderName.code) == "MESSAGE_TOO_LARGE")
            }
            #expect(try scene.count("status = 'PENDING'") == 1)
            try scene.publish(ids: "good")
            try eventually("the worker goes on") { try scene.count("status = 'PROCESSED'") == 1 }
            #expect(worker.events("consumer.connection-lost").isEmpty)
        }

        @Test func anUnknownTypeIsDeadLettered() throws {
            let scene = try Scene()
            let worker = try scene.startWorker()
            var properties = MessageProperties()
            properties.type = "something.else"
            try scene.publish([Array("{}".utf8)], properties)
            let dead = try #require(try scene.deadLetters.take(1).first)
            #expect(dead.header(HeaderName.code) == "UNKNOWN_TYPE")
            #expect(dead.properties.type == "something.else")
            withExtendedLifetime(worker) {}
        }
    }
}
