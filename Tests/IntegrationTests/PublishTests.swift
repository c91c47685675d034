import AMQP
import Concurrency
import ConversationPublishing
import Foundation
import Messaging
import TestSupport
import Testing

extension Integration {
    struct Publishing {
        private func ids(in queue: TestQueue, _ count: Int) throws -> [String] {
            try queue.take(count).map { message in
                #expect(message.properties.contentType == "application/json")
                let object = try JSONSerialization.jsonObject(with: Data(message.body))
                let members = try #require(object as? [String: Any])
                #expect((members["enqueued_at"] as? String)?.contains("T") == true)
                return try #require(members["conversation_id"] as? String)
            }
        }

        @Test func takesIDsFromArgumentsStandardInputAndAFile() throws {
            let scene = try Scene()
            let file = try TemporaryFile("f1\n\n f2 \n")
            let result = try scene.amity(
                ["publish", "a1", "quote\"d", "-", "--file", file.path],
                input: "i1\ni2\n"
            )
            #expect(result.status == 0)
            #expect(result.output == "published 6, confirmed by the broker\n")
            #expect(try ids(in: scene.queue, 6) == ["a1", "quote\"d", "i1", "i2", "f1", "f2"])
        }

        @Test func generatesConversationsInBothShapesAndLanguages() throws {
            let scene = try Scene(.pythonNaive)
            // The owner inserts; a worker's role may not.
            let url = try #require(Servers.environment["DATABASE_URL"])
            let result = try Command.run(
                Command.amity,
                ["publish", "--generate", "700", "--users", "9", "--seed", "5", "--via-exchange"],
                environment: [
                    "RABBITMQ_URL": Servers.environment["RABBITMQ_URL"] ?? "",
                    "RABBITMQ_QUEUE_NAME": scene.name,
                    "RABBITMQ_EXCHANGE_NAME": "\(scene.name)_exchange",
                    "DATABASE_URL": "\(url)?options=-csearch_path%3D\(scene.name)",
                ]
            )
            #expect(result.output == "published 700, confirmed by the broker\n")
            #expect(try scene.count("true") == 700)
            #expect(try Set(ids(in: scene.queue, 700)).count == 700)
            let users = try scene.sql("SELECT count(DISTINCT user_id) FROM conversation_events")
            #expect(users.integer(0, 0) == 9)
            for shape in [
                "raw_conversation_log IS NULL AND conversation_log -> 0 ? 'speaker'",
                "raw_conversation_log -> 0 ? 'content' AND conversation_log -> 0 ? 'speaker'",
                "raw_conversation_log IS NULL AND conversation_log -> 0 ? 'content'",
                "conversation_log::text LIKE '%Chào%'", "conversation_log::text LIKE '%Hello%'",
            ] { #expect(try scene.count(shape) > 20, "too few with \(shape)") }
            let topics = try scene.sql(
                "SELECT count(DISTINCT topic_id) FROM agenda_agent_prompting"
            )
            #expect(topics.integer(0, 0) == 4)
        }

        /// Fault: a message that no queue takes is counted as published.
        @Test func countsNothingThatNoQueueTook() throws {
            let scene = try Scene(settings: ["RABBITMQ_ROUTING_KEY": "bound"])
            let publisher = Publisher(
                endpoint: scene.settings.endpoint,
                topology: scene.settings.topology,
                insists: false,
                logger: quiet
            )
            publisher.start()
            defer { publisher.stop() }
            let results = Locked<[UInt8: Publisher.Result]>([:])
            let answered = DispatchSemaphore(value: 0)
            for (key, body) in [("nowhere", 1), ("bound", 2), ("nowhere", 3)] as [(String, UInt8)] {
                publisher.publish(
                    Message(body: [body]),
                    exchange: scene.settings.topology.exchange,
                    routingKey: key
                ) { result in
                    results.withLock { $0[body] = result }
                    answered.signal()
                }
            }
            for _ in 0..<3 { try #require(answered.wait(timeout: .now() + 30) == .success) }
            #expect(results.withLock { $0 } == [1: .returned, 2: .confirmed, 3: .returned])
        }

        /// Fault: the broker goes away while ids are handed over, and the command waits for ever.
        @Test func givesUpWhenNothingIsConfirmedAndNamesWhatIsMissing() throws {
            let scene = try Scene()
            var endpoint = scene.settings.endpoint
            endpoint.addresses[0].port = 1
            let publisher = ConversationPublisher(
                publisher: Publisher(
                    endpoint: endpoint,
                    topology: scene.settings.topology,
                    insists: false,
                    logger: quiet
                ),
                exchange: "",
                routingKey: scene.name,
                patience: .milliseconds(200)
            )
            let ids = (0..<1500).map { "c\($0)" }
            let refused = ids.filter { !publisher.publish($0) }
            #expect(refused.count == 500)
            #expect(publisher.finish() + refused == ids)
            #expect(publisher.confirmed == 0)
        }

        @Test func anUnreachableBrokerIsAnErrorThatSaysSo() throws {
            let result = try Command.run(
                Command.amity,
                ["publish", "a"],
                environment: ["RABBITMQ_URL": "amqp://user:canary-secret@127.0.0.1:1/"]
            )
            #expect(result.status == 69)
            #expect(result.error.contains("127.0.0.1:1"))
            #expect(!result.error.contains("canary-secret"))
        }
    }
}
