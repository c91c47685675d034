import Foundation
import Messaging
import Testing

extension Integration {
    /// The broker, and the network to it, at their worst. In each test commits are held back at the
    /// database until the fault has happened: the effect is there, and its ack has nowhere to go.
    struct BrokerFaults {
        /// How a worker loses its session.
        enum Loss: CaseIterable, Sendable {
            case application, stop, crash, connections, network

            /// - Parameter body: runs while it is lost, or right after.
            func happen(to proxy: Proxy, _ body: () throws -> Void) throws {
                switch self {
                case .application:
                    try Servers.rabbitmqctl("stop_app")
                    let found = Result(catching: body)
                    try Servers.rabbitmqctl("start_app")
                    try found.get()
                case .stop: try Servers.without(.rabbitmq, .stop, body)
                case .crash: try Servers.without(.rabbitmq, .kill, body)
                case .connections:
                    try Servers.rabbitmqctl("close_all_connections", "test")
                    try body()
                case .network:
                    proxy.refuse()
                    proxy.dropAll()
                    try body()
                    proxy.endFaults()
                }
            }
        }

        /// Fault: the session ends between commits and their acks. Messages are lost with it, count
        /// twice when they come back, or the worker does not consume any more.
        @Test(arguments: Loss.allCases)
        func aLostBrokerCostsNoMessageAndNoPoint(loss: Loss) throws {
            let scene = try Scene(settings: ["HEARTBEAT_SECONDS": "1"])
            let proxy = try Proxy(to: Servers.port("RABBITMQ_URL"))
            try scene.holdCommits()
            try scene.addConversations(30)
            try scene.publish(ids: (0..<20).map { "c\($0)" })
            let worker = try scene.startWorker(through: proxy)
            try eventually("commits wait") { try scene.isCommitWaiting() }
            try loss.happen(to: proxy) {
                try eventually("the worker says so") {
                    worker.events("consumer.connection-lost").first?["level"] as? String == "error"
                }
                try scene.release()
                try eventually("what was held is committed") {
                    try scene.count("status = 'PROCESSED'") > 0
                }
            }
            try worker.resumes(session: 2)
            try scene.publish(ids: (20..<30).map { "c\($0)" })
            try scene.expectEachToCountOnce(30, by: worker)
            #expect(!worker.events("consumer.stale-completion").isEmpty, "no ack came too late")
        }

        /// Fault: a session's acks are sent in the next one, where their tags name other messages:
        /// c1 was its second delivery, and the next one's second is c2, which would be acked
        /// unprocessed.
        @Test func anAckOfALostSessionSettlesNothingInTheNext() throws {
            let scene = try Scene()
            try scene.addConversations(3)
            let worker = try scene.startWorker()
            try scene.publish(ids: "c0")
            try eventually("c0 is acked") { try scene.queue.isDrained() }
            try scene.holdCommits()
            try scene.lock(
                "SELECT 1 FROM conversation_events WHERE conversation_id = 'c2' FOR UPDATE"
            )
            try scene.publish(ids: "c1", "c2")
            try eventually("both are in hand") { try scene.waiting() == 2 }
            try Servers.rabbitmqctl("close_all_connections", "test")
            try worker.resumes(session: 2)
            try scene.release()
            try eventually("the ack of c1 comes too late") {
                worker.events("consumer.stale-completion").map { $0["delivery"] as? String } == [
                    "1/2"
                ]
            }
            try eventually("c1 is acked anew") { try scene.queue.unsettled() == 1 }
            try scene.sql("COMMIT")
            try scene.expectEachToCountOnce(3, by: worker)
        }

        enum Partition: CaseIterable, Sendable {
            case both, toBroker, toWorker

            var directions: Set<Proxy.Direction> {
                switch self {
                case .both: [.toServer, .toClient]
                case .toBroker: [.toServer]
                case .toWorker: [.toClient]
                }
            }
        }

        /// Fault: the network loses everything, or everything one way, and no connection closes.
        @Test(arguments: Partition.allCases)
        func aPartitionIsNoticedWithinTwoHeartbeatsAndSurvived(partition: Partition) throws {
            let scene = try Scene(settings: ["HEARTBEAT_SECONDS": "1"])
            let proxy = try Proxy(to: Servers.port("RABBITMQ_URL"))
            try scene.holdCommits()
            try scene.addConversations(30)
            try scene.publish(ids: (0..<20).map { "c\($0)" })
            let worker = try scene.startWorker(through: proxy)
            try eventually("commits wait") { try scene.isCommitWaiting() }
            proxy.stall(partition.directions)
            // One more for the half a heartbeat after which each side looks, and for a slow
            // machine.
            try eventually("the worker says so", within: .seconds(2 + 2)) {
                !worker.events("consumer.connection-lost").isEmpty
            }
            #expect(proxy.held > 0)
            try scene.release()
            try eventually("what was held is committed") {
                try scene.count("status = 'PROCESSED'") > 0
            }
            proxy.endFaults()
            try worker.resumes(session: 2)
            try scene.publish(ids: (20..<30).map { "c\($0)" })
            try scene.expectEachToCountOnce(30, by: worker)
            #expect(!worker.events("consumer.stale-completion").isEmpty, "no ack came too late")
        }

        /// Fault: a slow link is taken for a dead one, its message delivered anew for ever.
        @Test func aFrameThatTakesManyHeartbeatsToArriveIsWaitedFor() throws {
            let scene = try Scene(settings: ["HEARTBEAT_SECONDS": "1"])
            let proxy = try Proxy(to: Servers.port("RABBITMQ_URL"))
            try scene.addConversation("c1")
            let worker = try scene.startWorker(through: proxy)
            try worker.waitUntilConsuming()
            proxy.slowDown(toBytesPerSecond: 8000)
            let begin = ContinuousClock.now
            try scene.publish([Scene.body("c1", ignoring: 40_000)])
            try eventually("c1 is processed") { try scene.count("status = 'PROCESSED'") == 1 }
            #expect(begin.duration(to: .now) > .seconds(4), "the link was not slow")
            #expect(worker.events("consumer.connection-lost").isEmpty)
            #expect(worker.events("consumer.started").count == 1)
        }

        /// Fault: the question why nothing comes queues behind a body that comes slowly, and the
        /// answer is too late: a new session, the same body from its first byte, for ever.
        @Test func aBodyThatTakesLongIsNoStall() throws {
            let scene = try Scene(settings: ["STALL_TIMEOUT_SECONDS": "1"])
            let proxy = try Proxy(to: Servers.port("RABBITMQ_URL"))
            let worker = try scene.startWorker(through: proxy)
            try worker.waitUntilConsuming()
            try scene.addConversation("c1")
            proxy.slowDown(toBytesPerSecond: 8000)
            try scene.publish([Scene.body("c1", ignoring: 120_000)])
            try eventually("c1 is processed", within: .seconds(40)) {
                try scene.count("status = 'PROCESSED'") == 1
            }
            #expect(worker.events("consumer.started").count == 1)
        }

        /// Fault: half a frame is taken for a whole one, or waited for on a connection that is
        /// gone.
        @Test func aConnectionMayBeCutAtAnyByte() throws {
            let scene = try Scene()
            let proxy = try Proxy(to: Servers.port("RABBITMQ_URL"))
            let worker = try scene.startWorker(through: proxy)
            // In a method, a header, a body, at a frame's end, or further on; then in a handshake.
            let inDeliveries = [1, 5, 8, 30, 61, 75, 90, 100, 127, 150, 191]
            let inHandshakes = [1, 8, 300, 520, 560, 600]
            for (number, bytes) in (inDeliveries + inHandshakes).enumerated() {
                try worker.resumes(session: number + 1)
                try scene.addConversation("c\(number)", user: "user-\(number % 4)")
                let isInHandshake = number >= inDeliveries.count
                // In a handshake whichever comes first: the worker has other connections, too.
                proxy.cut(
                    afterBytesToClient: bytes,
                    ofClientsThatSay: isInHandshake ? nil : "amity worker"
                )
                if isInHandshake { proxy.dropAll() }
                try scene.publish(ids: "c\(number)", "c\(number)", "c\(number)")
                try eventually("the cut") { proxy.cuts == number + 1 }
            }
            try scene.expectEachToCountOnce(inDeliveries.count + inHandshakes.count, by: worker)
        }

        /// Fault: the broker drops the consumer of a deleted queue, and the worker waits for ever.
        @Test func aDeletedQueueIsNoticedAndMadeAgain() throws {
            let scene = try Scene()
            let worker = try scene.startWorker()
            try worker.waitUntilConsuming()
            try Servers.rabbitmqctl("delete_queue", scene.name)
            try worker.resumes(session: 2)
            let loss = try #require(worker.events("consumer.connection-lost").first)
            #expect((loss["error"] as? String)?.contains("the broker cancelled") == true)
            try scene.addConversation("c1")
            try scene.publish(ids: "c1")
            try scene.expectEachToCountOnce(1, by: worker)
        }

        enum Alarm: CaseIterable, Sendable {
            case memory, disk

            func whileRaised(_ body: () throws -> Void) throws {
                let (raise, lift) =
                    switch self {
                    case .memory:
                        (
                            ["set_vm_memory_high_watermark", "0"],
                            ["set_vm_memory_high_watermark", "0.4"]
                        )
                    case .disk:
                        (["set_disk_free_limit", "1000000GB"], ["set_disk_free_limit", "50MB"])
                    }
                try Servers.rabbitmqctl(raise)
                let found = Result(catching: body)
                try Servers.rabbitmqctl(lift)
                try found.get()
            }
        }

        /// Fault: a broker short of memory or disk reads nothing from a connection that publishes.
        /// If acks went that way, or the drain waited for copies, nothing would move until it is
        /// over.
        @Test(arguments: Alarm.allCases)
        func acksAndADrainGoOnThroughAnAlarmAndCopiesWaitForItsEnd(alarm: Alarm) throws {
            let scene = try Scene(settings: ["DRAIN_TIMEOUT_SECONDS": "2"])
            try scene.holdCommits()
            try scene.addConversation("good")
            try scene.addConversation("bad", log: "{}")
            try scene.publish(ids: "good", "bad")
            let first = try scene.startWorker(["BATCH_MAX": "1"])
            try eventually("both wait") { try scene.waiting() == 2 }
            var second: RunningWorker?
            try alarm.whileRaised {
                try scene.release()
                try eventually("the dead letter waits") {
                    !first.events("publisher.blocked").isEmpty
                }
                try eventually("good is acked, bad is not") { try scene.queue.unsettled() == 1 }
                #expect(try scene.count("status = 'PROCESSED'") == 1)
                first.signal(SIGTERM)
                let begin = ContinuousClock.now
                #expect(try first.waitForExit() == 0)
                #expect(begin.duration(to: .now) < .seconds(2 + 5), "the drain outlived its time")
                #expect(try scene.queue.ready() == 1)
                #expect(try scene.deadLetters.ready() == 0)
                second = try scene.startWorker()
                try eventually("a dead letter waits again") {
                    second?.events("publisher.blocked").isEmpty == false
                }
            }
            let deadLetter = try scene.deadLetters.take(1)[0]
            #expect(deadLetter.header(HeaderName.code) == "INVALID_LOG")
            try eventually("every delivery is settled") { try scene.queue.isDrained() }
            #expect(second?.events("publisher.connection-lost").isEmpty == true)
        }

        /// What the broker grants a consumer before it closes its channel with 406.
        private func withConsumerTimeout(seconds: Int, _ body: () throws -> Void) throws {
            func set(_ timeout: Int, lookingEvery tick: Int) throws {
                try Servers.rabbitmqctl(
                    "eval",
                    """
                    application:set_env(rabbit, consumer_timeout, \(timeout)),
                    application:set_env(rabbit, channel_tick_interval, \(tick)).
                    """
                )
            }
            try set(seconds * 1000, lookingEvery: 200)
            let found = Result(catching: body)
            try set(1_800_000, lookingEvery: 60_000)
            try found.get()
        }

        /// Fault: one conversation that waits for long costs the session of all others.
        @Test func theTasksOwnTimeIsOverBeforeTheBrokersIs() throws {
            let scene = try Scene(settings: [
                "TASK_TIMEOUT_SECONDS": "1", "CONSUMER_TIMEOUT_SECONDS": "2",
            ])
            try scene.addConversation("c1")
            try scene.sql("INSERT INTO friendship_status (user_id) VALUES ('user')")
            try scene.lock("SELECT 1 FROM friendship_status FOR UPDATE")
            try withConsumerTimeout(seconds: 2) {
                let worker = try scene.startWorker()
                try worker.waitUntilConsuming()
                let begin = ContinuousClock.now
                try scene.publish(ids: "c1")
                try eventually("it has gone round for longer than the broker would wait") {
                    begin.duration(to: .now) > .seconds(4)
                        && worker.events("batch.handled").count >= 3
                }
                try scene.sql("COMMIT")
                try scene.expectEachToCountOnce(1, by: worker)
                #expect(worker.events("consumer.connection-lost").isEmpty)
            }
        }

        /// Fault: after a rolling restart all workers consume from the node that was restarted
        /// first, or a move loses or repeats work. Two ways to one broker stand for two nodes.
        @Test func aWorkerGoesBackToTheNodeItBeganWith() throws {
            let scene = try Scene()
            let url = try #require(scene.variables["RABBITMQ_URL"])
            let nodes = try (0..<2).map { _ in try Proxy(to: Servers.port("RABBITMQ_URL")) }
            let urls = nodes.map { $0.rerouted(url) }.joined(separator: ",")
            let worker = try scene.startWorker(["RABBITMQ_URL": urls])
            func node() -> Int? {
                let host = worker.events("consumer.started").last?["host"] as? String
                return nodes.firstIndex { host == "127.0.0.1:\($0.port)" }
            }
            try worker.waitUntilConsuming()
            let first = try #require(node())
            nodes[first].refuse()
            nodes[first].dropAll()
            try worker.resumes(session: 2)
            #expect(node() == 1 - first)
            nodes[first].endFaults()
            try scene.addConversations(1000)
            var published = 0
            try eventually("it is back", within: .seconds(40)) {
                try scene.publish(ids: "c\(published)")
                published += 1
                return node() == first
            }
            try scene.publish(ids: (published..<1000).map { "c\($0)" })
            try scene.expectEachToCountOnce(1000, by: worker)
            #expect(worker.events("consumer.connection-lost").count == 1)
        }

        /// Fault: an outage of the database outlasts the broker's patience, and its 406 ends the
        /// worker or the name of the reason is lost.
        @Test func aConsumerTimeoutIsNamedAndTheWorkerGoesOn() throws {
            let scene = try Scene()
            try scene.addConversations(20)
            try scene.sql("ALTER TABLE friendship_status RENAME TO away")
            try withConsumerTimeout(seconds: 1) {
                try scene.publish(ids: (0..<20).map { "c\($0)" })
                let worker = try scene.startWorker()
                try eventually("the broker loses patience") {
                    let loss = worker.events("consumer.connection-lost").first
                    return (loss?["error"] as? String)?.contains("406 PRECONDITION_FAILED") == true
                }
                try worker.resumes(session: 2)
                try scene.sql("ALTER TABLE away RENAME TO friendship_status")
                try scene.expectEachToCountOnce(20, by: worker)
            }
        }
    }
}
