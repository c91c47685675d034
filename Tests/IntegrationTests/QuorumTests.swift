import AMQP
import Foundation
import Messaging
import Tasks
import TestSupport
import Testing

extension Integration {
    /// What `RABBITMQ_QUEUE_TYPE=quorum` gives, on one node; `deploy/dev/cluster-trial` has three.
    struct QuorumTests {
        private static let settings = ["RABBITMQ_QUEUE_TYPE": "quorum"]

        /// Faults: RabbitMQ 4 drops a message of a quorum queue that has come back twenty times, as
        /// drains, outages and looks give it back; RabbitMQ 3 drops one that comes back once, where
        /// it was given a limit of -1.
        @Test func whatComesBackOftenIsStillThere() throws {
            let scene = try Scene(settings: Self.settings)
            let tasks = TaskQueue.all(of: scene.name).map(\.name)
            try scene.settings.topology.ensure(at: scene.settings.endpoint, logger: quiet)
            try scene.settings.topology.ensure(
                queuesNamed: tasks,
                at: scene.settings.endpoint,
                logger: quiet
            )
            for name in [scene.name, scene.deadLetters.name, tasks[0]] {
                let queue = TestQueue(name: name, endpoint: scene.settings.endpoint)
                try queue.put([1])
                try queue.giveBack(times: 30)
                try eventually("it is still in \(name)") { try queue.ready() == 1 }
            }
            for name in tasks { try Servers.rabbitmqctl("delete_queue", name) }
        }

        /// Fault: the broker finds a queue of Amity's own to differ from what Amity declares.
        @Test func itsOwnQueuesAreAsItMakesThem() throws {
            let scene = try Scene(settings: Self.settings)
            try scene.addConversation("c1")
            try scene.publish(ids: "c1", "late")
            let worker = try scene.startWorker()
            try eventually("a retry waits") {
                !worker.events("message.retry-scheduled").isEmpty
            }
            try scene.addConversation("late")
            try eventually("both are scored") { try scene.count("status = 'PROCESSED'") == 2 }
            #expect(worker.events("topology.queue-used-as-it-is").isEmpty)
            #expect(try Self.types(of: scene) == ["quorum"])
        }

        /// The steps of the article on high availability.
        @Test func theMoveFromClassicLosesAndDoublesNothing() throws {
            let scene = try Scene(settings: ["RABBITMQ_QUEUE_TYPE": "classic", "MAX_ATTEMPTS": "2"])
            try scene.addConversations(200)
            let bad = (1...3).map { Array("bad \($0)".utf8) }
            let first = (0..<100).map { "c\($0)" }
            let old = try scene.startWorker()
            try scene.publish(ids: first + first + ["late"])
            try scene.publish(bad)
            try eventually("what has no row is a dead letter, too") {
                try scene.deadLetters.ready() == 4
            }
            try eventually("the queues are empty") { try scene.isQuiet() }
            old.signal(SIGTERM)
            #expect(try old.waitForExit() == 0)

            let owner = try scene.asOwner().merging(Self.settings) { $1 }
            func migrate() throws {
                let done = try scene.amity(["migrate", "--topology"], owner)
                #expect(done.status == 0, "\(done.error)")
            }
            func delete(_ queue: String) throws {
                try Servers.rabbitmqctl("delete_queue", queue, "--if-empty", "--if-unused")
            }
            try delete(scene.name)
            try delete("\(scene.name).retry.1")
            try migrate()
            let retried = try scene.amity(["dead-letters", "retry", "--all"], owner)
            #expect(retried.output == "retried 4\n", "\(retried.error)")
            try delete(scene.deadLetters.name)
            try migrate()

            try scene.addConversation("late")
            let new = try scene.startWorker(Self.settings)
            try scene.publish(ids: first + (100..<200).map { "c\($0)" })
            try eventually("all are scored", within: .seconds(30)) {
                try scene.count("status = 'PROCESSED'") == 201
            }
            let sum = try scene.sql("SELECT sum(friendship_score)::bigint FROM friendship_status")
            #expect(sum.integer(0, 0) == 201)
            #expect(try Set(scene.deadLetters.take(3).map(\.body)) == Set(bad))
            try eventually("nothing is left") { try scene.isQuiet() }
            #expect(try scene.deadLetters.ready() == 0)
            #expect(try Self.types(of: scene) == ["quorum"])
            #expect(new.isRunning)
        }

        private static func types(of scene: Scene) throws -> Set<String> {
            let list = try Servers.rabbitmqctl(
                "--quiet",
                "list_queues",
                "--no-table-headers",
                "name",
                "type"
            )
            let rows = list.split(separator: "\n").map { $0.split(separator: "\t") }
            return Set(
                rows.filter { $0[0] == scene.name || $0[0].hasPrefix("\(scene.name).") }
                    .map { String($0[1]) }
            )
        }
    }
}

extension TestQueue {
    /// Takes its first message and gives it back, so many times.
    fileprivate func giveBack(times: Int) throws {
        let connection = try Connection(to: endpoint, timeout: .seconds(10))
        try connection.openChannel()
        try connection.limitPrefetch(to: 1)
        try connection.consume(from: name, tag: "giver")
        var count = 0
        try eventually("it comes \(times) times from \(name)") {
            while count < times, let frame = try connection.nextFrame() {
                guard case .delivery(let tag, _, _) = frame else { continue }
                try connection.send(.requeue(tag: tag))
                count += 1
            }
            return count == times
        }
        try connection.close()
    }
}
