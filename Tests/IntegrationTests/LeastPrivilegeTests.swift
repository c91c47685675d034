import Foundation
import TestSupport
import Testing

extension Integration {
    struct LeastPrivilege {
        /// The patterns of the article's `set_permissions`, for a queue of that name: configure,
        /// write, read.
        private func permissions(for queue: String) throws -> [String] {
            let line = try #require(
                try Document.article("GettingStarted").commands()
                    .first { $0.contains("set_permissions amity_worker '") }
            )
            let patterns = line.matches(of: /'([^']*)'/).map { String($0.1) }
            try #require(patterns.count == 3)
            return patterns.map {
                $0.replacing("conversation_events_processing", with: queue)
            }
        }

        /// Faults: the article promises too little, and retries fail at night; or more than is
        /// needed, unnoticed. The role in the database has what `deploy/grants.sql` gives, as in
        /// all tests.
        @Test func aWorkerDoesAllItsWorkWithWhatTheArticleGives() throws {
            let scene = try Scene(settings: ["MAX_ATTEMPTS": "2", "SWEEP_AFTER_SECONDS": "1"])
            try scene.settings.topology.ensure(at: scene.settings.endpoint, logger: quiet)
            try Servers.rabbitmqctl("add_user", scene.name, "password")
            defer {
                do {
                    try Servers.rabbitmqctl("delete_user", scene.name)
                } catch { Issue.record(error, "a user is left over") }
            }
            let patterns = try permissions(for: scene.name)
            try Servers.rabbitmqctl(["set_permissions", scene.name] + patterns)
            let address = "127.0.0.1:\(try Servers.port("RABBITMQ_URL"))/%2F"
            let poor = ["RABBITMQ_URL": "amqp://\(scene.name):password@\(address)"]
            let worker = try scene.startWorker(poor)
            try worker.waitUntilConsuming()
            // Scored, retried, dead-lettered with and without a look at it.
            try scene.addConversations(50)
            try scene.publish(ids: (0..<50).map { "c\($0)" } + ["nowhere"])
            try scene.publish([Array("bad".utf8)])
            try eventually("all are scored") { try scene.count("status = 'PROCESSED'") == 50 }
            try eventually("two are buried") { try scene.deadLetters.ready() == 2 }
            #expect(worker.events("message.retry-scheduled").count == 1)
            // Swept.
            try scene.addConversation("lost")
            try eventually("the lost one is found") {
                try scene.count("status = 'PROCESSED'") == 51
            }
            #expect(worker.events("crash-attribution.off").isEmpty)
            #expect(worker.events("consumer.connection-lost").isEmpty)
            #expect(worker.events("publisher.connection-lost").isEmpty)
            let doctor = try scene.amity(["doctor"], poor)
            #expect(doctor.status == 0, "\(doctor.output)")
            worker.signal(SIGTERM)
            #expect(try worker.waitForExit() == 0)
        }

        /// Who looks after the dead letters needs one more queue; rows are read without.
        @Test func theDeadLettersNeedOneMoreQueue() throws {
            let scene = try Scene()
            try scene.settings.topology.ensure(at: scene.settings.endpoint, logger: quiet)
            try scene.bury(Array("bad".utf8), .init())
            try Servers.rabbitmqctl("add_user", scene.name, "password")
            defer {
                do {
                    try Servers.rabbitmqctl("delete_user", scene.name)
                } catch { Issue.record(error, "a user is left over") }
            }
            let address = "127.0.0.1:\(try Servers.port("RABBITMQ_URL"))/%2F"
            let poor = ["RABBITMQ_URL": "amqp://\(scene.name):password@\(address)"]
            var patterns = try permissions(for: scene.name)
            for (read, status) in [(patterns[2], 69), ("^\(scene.name)\\.dead$", 0)] {
                patterns[2] = read
                try Servers.rabbitmqctl(["set_permissions", scene.name] + patterns)
                #expect(try scene.amity(["dead-letters", "list"], poor).status == 0)
                let look = try scene.amity(["dead-letters", "list", "--look-into-queue"], poor)
                #expect(look.status == Int32(status), "\(look.error)")
            }
        }
    }
}
