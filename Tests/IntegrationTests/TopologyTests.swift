import Foundation
import TestSupport
import Testing

extension Integration {
    struct TopologyTests {
        /// The Python publisher declares its queue with arguments. Another client may do so, too.
        @Test func usesAQueueThatExistsWithWhateverArguments() throws {
            let scene = try Scene()
            try scene.queue.declare([
                ("x-message-ttl", .integer(86_400_000)), ("x-max-length", .integer(100_000)),
            ])
            try scene.addConversation("c1")
            let worker = try scene.startWorker()
            try scene.publish(ids: "c1")
            try eventually("c1 is processed") { try scene.count("status = 'PROCESSED'") == 1 }
            let notes = worker.events("topology.queue-used-as-it-is")
            #expect(notes.count == 1)
            #expect((notes.first?["difference"] as? String)?.contains("x-") == true)
            #expect(worker.events("consumer.connection-lost").isEmpty)
        }

        @Test func consumesWhatComesThroughTheExchange() throws {
            let scene = try Scene()
            try scene.addConversation("c1")
            let worker = try scene.startWorker()
            try worker.waitUntilConsuming()
            #expect(try scene.amity(["publish", "--via-exchange", "c1"]).status == 0)
            try eventually("c1 is processed") { try scene.count("status = 'PROCESSED'") == 1 }
        }

        /// A worker needs no right to declare where the topology exists.
        @Test func runsWithoutTheRightToConfigure() throws {
            let scene = try Scene()
            try scene.addConversation("c1")
            try scene.settings.topology.ensure(at: scene.settings.endpoint, logger: quiet)
            try Servers.rabbitmqctl("add_user", scene.name, "password")
            try Servers.rabbitmqctl(
                "set_permissions",
                scene.name,
                "^$",
                "^(\(scene.name)\\..*|amq\\.default)$",
                "^\(scene.name)$"
            )
            let address = "127.0.0.1:\(scene.settings.endpoint.addresses[0].port)/%2F"
            let worker = try scene.startWorker([
                "RABBITMQ_URL": "amqp://\(scene.name):password@\(address)"
            ])
            try scene.publish(ids: "c1")
            try scene.publish([Array("bad".utf8)])
            try eventually("c1 is processed") { try scene.count("status = 'PROCESSED'") == 1 }
            #expect(try scene.deadLetters.take(1).count == 1)
            // A line at every connect would be taken for a fault, and the binding is there.
            try Servers.rabbitmqctl("close_all_connections", "test")
            try worker.resumes(session: 2)
            try scene.addConversation("c2")
            try scene.publish(ids: "c2")
            try eventually("c2 is processed") { try scene.count("status = 'PROCESSED'") == 2 }
            try eventually("it was looked at twice") {
                worker.events("topology.binding-refused").count >= 2
            }
            let levels = worker.events("topology.binding-refused").map { $0["level"] as? String }
            #expect(levels.first == "info" && Set(levels.dropFirst()) == ["debug"])
            worker.signal(SIGTERM)
            #expect(try worker.waitForExit() == 0)
            try Servers.rabbitmqctl("delete_user", scene.name)
        }
    }
}
