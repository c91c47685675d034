import CRabbitMQ
import Messaging
import TestSupport
import Testing

extension Integration {
    /// Messages that are legal for the broker and made to harm a consumer.
    struct HostileMessages {
        /// Fault: the library recurses into nested headers until the stack is gone, a forged
        /// history decides how often a message is tried, or each copy goes to whom its publisher
        /// named, again.
        @Test func nestedForgedAndRoutingHeadersDoNothing() throws {
            let scene = try Scene(settings: ["MAX_ATTEMPTS": "3"])
            let worker = try scene.startWorker()
            try worker.waitUntilConsuming()
            let copies = ["cc", "bcc"].map {
                TestQueue(name: "\(scene.name).\($0)", endpoint: scene.queue.endpoint)
            }
            for queue in copies { try queue.declare([]) }
            let death = NestedHeader.table([
                "queue": .text(scene.name), "reason": .text("rejected"), "count": .text("99"),
            ])
            try publish(
                Array(#"{"conversation_id":"never"}"#.utf8),
                to: scene.queue,
                headers: [
                    "CC": .array([.text(copies[0].name)]), "BCC": .array([.text(copies[1].name)]),
                    "x-death": .array([death, death]), "table": .table(["table": .table([:])]),
                    // Almost as many as fit a frame, or as the library reads from 0.14 on.
                    "deep": .arrays(levels: amqp_version_number() < 0x000e_0000 ? 20_000 : 100),
                    "kept": .text("yes"),
                ]
            )
            let dead = try #require(try scene.deadLetters.take(1).first)
            #expect(dead.header("kept") == "yes")
            #expect(dead.properties.headers[HeaderName.attempts] == .integer(3))
            #expect(worker.events("message.retry-scheduled").count == 2)
            try eventually("the delivery is settled") { try scene.queue.isDrained() }
            // One each from the publisher itself.
            for queue in copies { #expect(try queue.ready() == 1, "\(queue.name)") }
            try scene.addConversation("c1")
            try scene.publish(ids: "c1")
            try eventually("the worker goes on") { try scene.count("status = 'PROCESSED'") == 1 }
            #expect(worker.events("consumer.started").count == 1)
        }

        /// Fault: the library does not read headers that are nested deeper, and the worker connects
        /// anew over the same message for ever.
        @Test(.enabled(if: amqp_version_number() >= 0x000e_0000, "the library reads them"))
        func aMessageThatTheLibraryDoesNotReadStopsNoQueue() throws {
            let scene = try Scene()
            try scene.settings.topology.ensure(at: scene.settings.endpoint, logger: quiet)
            for _ in 0..<2 {
                try publish(
                    Array(#"{"conversation_id":"never"}"#.utf8),
                    to: scene.queue,
                    headers: ["deep": .arrays(levels: 200)]
                )
            }
            try scene.addConversation("c1")
            try scene.publish(ids: "c1")
            let worker = try scene.startWorker()
            try scene.expectEachToCountOnce(1, by: worker)
            #expect(worker.events("message.rejected").count == 2)
        }

        /// Fault: a body of many frames blocks the heartbeats, or its copy cannot be made.
        /// RabbitMQ 4 takes no larger one.
        @Test func sixteenMebibytesAreScoredOrDeadLetteredLikeAnyOther() throws {
            let scene = try Scene(settings: ["MESSAGE_MAX_BYTES": "33554432"])
            try scene.addConversation("c1")
            let garbage = [UInt8](repeating: UInt8(ascii: "["), count: 16 << 20)
            try scene.publish([Scene.body("c1", ignoring: 16 << 20 - 100), garbage])
            let worker = try scene.startWorker()
            let dead = try #require(try scene.deadLetters.take(1).first)
            // Compared here: the difference of two such bodies would take the report for ever.
            let isUntouched = dead.body == garbage
            #expect(isUntouched)
            #expect(dead.header(HeaderName.code) == "INVALID_MESSAGE")
            try eventually("c1 is processed") { try scene.count("status = 'PROCESSED'") == 1 }
            try eventually("every delivery is settled") { try scene.queue.isDrained() }
            #expect(worker.events("consumer.connection-lost").isEmpty)
        }
    }
}
