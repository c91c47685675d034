import Foundation
import Messaging
import TestSupport
import Testing

extension Integration {
    /// One part of the broker fails: a queue, a message, a permission. Whatever does not need it
    /// goes on.
    struct BrokerParts {
        /// Why the broker does not take the copies of bad messages.
        enum Refusal: CaseIterable, Sendable {
            /// 406 closes the channel.
            case tooLarge
            /// 403 closes the channel.
            case forbidden
            /// The queue answers with basic.nack.
            case full
            /// basic.return, and the worker may not declare the queue.
            case gone
        }

        /// Fault: the copy of one message closes the channel, or comes back, again and again; no
        /// other copy gets out, or those that wait fill the prefetch and no good conversation is
        /// scored any more.
        @Test(arguments: Refusal.allCases)
        func aCopyThatTheBrokerRefusesHoldsUpNoOther(refusal: Refusal) throws {
            let scene = try Scene(settings: ["PREFETCH_COUNT": "5", "BATCH_MAX": "1"])
            try scene.addConversations(10)
            try scene.settings.topology.ensure(at: scene.settings.endpoint, logger: quiet)
            let user = try BrokerUser(scene)
            defer { user.remove() }
            let large = try refusal == .tooLarge ? whatIsTooLarge(for: scene, 8) : 0
            try begin(refusal, scene, user)
            let found = Result { try expectOthersToGoOn(in: scene, despite: refusal, user) }
            try end(refusal, scene, user)
            let worker = try found.get()
            if refusal == .full {
                #expect(try scene.deadLetters.take(7).count == 7)
            } else {
                // One that comes on the old channel, which keeps the old limit, is refused once
                // more: twice the longest pause, and what it takes to send them.
                try eventually("all dead letters are there", within: .seconds(90)) {
                    try scene.deadLetters.ready() == 6 + large
                }
            }
            try eventually("every original is settled") { try scene.queue.isDrained() }
            #expect(worker.events("consumer.started").count == 1)
        }

        private func expectOthersToGoOn(
            in scene: Scene,
            despite refusal: Refusal,
            _ user: BrokerUser
        ) throws -> RunningWorker {
            let worker = try scene.startWorker(user.variables)
            for number in 0..<6 { try scene.queue.put(Array("bad \(number)".utf8)) }
            for number in 0..<10 {
                try scene.queue.put(Array(#"{"conversation_id":"c\#(number)"}"#.utf8))
            }
            try eventually("the good ones are scored") {
                try scene.count("status = 'PROCESSED'") == 10
            }
            try eventually("the refusal is told") {
                !worker.events("publisher.message-not-taken").isEmpty
            }
            if refusal == .tooLarge {
                try eventually("small dead letters get out") { try scene.deadLetters.ready() == 6 }
                let line = try #require(worker.events("publisher.message-not-taken").first)
                #expect((line["reason"] as? String)?.contains("406") == true)
                #expect(line["message"] as? String == "large")
            }
            #expect(try scene.queue.unsettled() ?? 0 > 0, "an original was settled without a copy")
            #expect(worker.events("consumer.connection-lost").isEmpty)
            #expect(worker.events("publisher.connection-lost").isEmpty)
            return worker
        }

        /// Messages over MESSAGE_MAX_BYTES, more than the prefetch count, published while the
        /// broker took them.
        private func whatIsTooLarge(for scene: Scene, _ count: Int) throws -> Int {
            var properties = MessageProperties()
            properties.messageID = "large"
            let body = Scene.body("c0", ignoring: 2_000_000)
            try scene.publish(Array(repeating: body, count: count), properties)
            return count
        }

        private func begin(_ refusal: Refusal, _ scene: Scene, _ user: BrokerUser) throws {
            let dead = "\(scene.name).dead"
            switch refusal {
            case .tooLarge: try Servers.setLargestMessage(1_500_000)
            case .forbidden: try user.permit(write: "^$")
            case .full:
                try Servers.rabbitmqctl("delete_queue", dead)
                try scene.deadLetters.declare([
                    ("x-max-length", .integer(1)), ("x-overflow", .string("reject-publish")),
                ])
                try scene.deadLetters.put(Array("first".utf8))
            case .gone: try Servers.rabbitmqctl("delete_queue", dead)
            }
        }

        private func end(_ refusal: Refusal, _ scene: Scene, _ user: BrokerUser) throws {
            switch refusal {
            case .tooLarge: try Servers.setLargestMessage(134_217_728)
            case .forbidden: try user.permit()
            case .full: break  // The test takes dead letters out.
            case .gone: try scene.deadLetters.declare([])
            }
        }

        /// Fault: a worker that may not declare, or a helper queue that another connection holds or
        /// whose node is down, and nothing is consumed although the main queue is there.
        @Test func aMissingHelperQueueStopsOnlyWhatNeedsIt() throws {
            let scene = try Scene()
            try scene.queue.declare([])
            let user = try BrokerUser(scene)
            defer { user.remove() }
            try scene.addConversation("c1")
            let worker = try scene.startWorker(user.variables)
            try scene.queue.put(Array("bad".utf8))
            try scene.queue.put(Array(#"{"conversation_id":"c1"}"#.utf8))
            try eventually("c1 is scored") { try scene.count("status = 'PROCESSED'") == 1 }
            try eventually("what is missing is named") {
                worker.events("topology.queue-unavailable").contains {
                    $0["queue"] as? String == "\(scene.name).dead"
                }
            }
            #expect(worker.events("consumer.connection-lost").isEmpty)
            try scene.settings.topology.ensure(at: scene.settings.endpoint, logger: quiet)
            #expect(try scene.deadLetters.take(1).count == 1)
        }

        /// Fault: a policy with `expires` deletes a delay queue with the retries in it, and nothing
        /// says so.
        @Test func aHelperQueueThatVanishesIsNamedAndMadeAgain() throws {
            let scene = try Scene(settings: ["MAX_ATTEMPTS": "2"])
            let worker = try scene.startWorker()
            try eventually("the queues are there") {
                worker.events("topology.queue-declared").count == 3
            }
            try Servers.rabbitmqctl("delete_queue", "\(scene.name).retry.1")
            try scene.queue.put(Array("bad".utf8))
            try scene.queue.put(Array(#"{"conversation_id":"nowhere"}"#.utf8))
            try eventually("both are dead") { try scene.deadLetters.ready() == 2 }
            let gone = worker.events("topology.queue-gone").map { $0["queue"] as? String }
            #expect(gone == ["\(scene.name).retry.1"])
        }

        /// Fault: the queue is declared anew while intake is off, without its binding, and what
        /// comes through the exchange is lost.
        @Test func aQueueThatWasDeclaredAnewIsBoundWhenIntakeIsOnAgain() throws {
            let scene = try Scene()
            try scene.addConversation("c1")
            let worker = try scene.startWorker()
            try worker.waitUntilConsuming()
            worker.signal(SIGUSR1)
            try eventually("intake is off") { !worker.events("consumer.paused").isEmpty }
            try eventually("no consumer is left") { try scene.queue.consumers() == 0 }
            try Servers.rabbitmqctl("delete_queue", scene.name)
            try scene.queue.declare([("x-queue-type", .string("quorum"))])
            worker.signal(SIGUSR2)
            try eventually("the message is routed") {
                try scene.putThroughTheExchange("c1")
            }
            try eventually("c1 is scored") { try scene.count("status = 'PROCESSED'") == 1 }
        }

        enum Unfit: String, CaseIterable, Sendable {
            case stream, autoDelete = "auto-delete", notDurable = "not durable"
        }

        /// Fault: a stream gives a new consumer nothing, for ever; an auto-delete queue goes with
        /// its last worker and takes its messages along; one that is not durable goes with the
        /// broker.
        @Test(arguments: Unfit.allCases)
        func aQueueThatIsUnfitIsNamed(kind: Unfit) throws {
            let scene = try Scene(settings: ["STALL_TIMEOUT_SECONDS": "1"])
            switch kind {
            case .stream: try scene.queue.declare([("x-queue-type", .string("stream"))])
            case .autoDelete: try scene.queue.declareAutoDelete()
            case .notDurable: try scene.queue.declare([], durable: false)
            }
            let worker = try scene.startWorker()
            let event =
                kind == .notDurable ? "topology.queue-unsuitable" : "consumer.connection-lost"
            try eventually("it is named") {
                worker.events(event).contains {
                    ($0["error"] as? String)?.contains(kind.rawValue) == true
                }
            }
            if kind == .notDurable {
                try worker.waitUntilConsuming()
            } else {
                #expect(worker.events("consumer.started").isEmpty)
            }
        }

        /// Fault: the same, with a user who may not declare: no refusal names the kind.
        @Test func aStreamIsNamedToAUserWhoMayNotDeclare() throws {
            let scene = try Scene(settings: ["STALL_TIMEOUT_SECONDS": "1"])
            try scene.queue.declare([("x-queue-type", .string("stream"))])
            try scene.queue.put(Array("old".utf8))
            let user = try BrokerUser(scene)
            defer { user.remove() }
            let worker = try scene.startWorker(user.variables)
            try eventually("it is named") {
                worker.events("consumer.connection-lost").contains {
                    ($0["error"] as? String)?.contains("is a stream") == true
                }
            }
        }

        /// Fault: a memory alarm, and a worker that has nothing to publish does not know of it.
        @Test func anAlarmIsNoticedWithoutACopyToPublish() throws {
            let scene = try Scene()
            let worker = try scene.startWorker()
            try worker.waitUntilConsuming()
            try Servers.rabbitmqctl("set_vm_memory_high_watermark", "0")
            defer {
                do {
                    try Servers.rabbitmqctl("set_vm_memory_high_watermark", "0.4")
                } catch { Issue.record(error, "the alarm stays") }
            }
            try eventually("it is told", within: .seconds(30)) {
                worker.events("broker.alarm").first?["level"] as? String == "error"
            }
            try Servers.rabbitmqctl("set_vm_memory_high_watermark", "0.4")
            try eventually("its end, too") { !worker.events("broker.alarm-over").isEmpty }
        }

        /// Fault: with small frames our own headers are dropped with those of the publisher, the
        /// count of attempts with them, and retries never end.
        @Test func attemptsAreBoundedWhateverTheFrame() throws {
            let scene = try Scene(settings: ["MAX_ATTEMPTS": "3"])
            func setFrameMax(_ bytes: Int) throws {
                try Servers.rabbitmqctl("eval", "application:set_env(rabbit, frame_max, \(bytes)).")
            }
            var properties = MessageProperties()
            properties.headers["trace"] = .string(String(repeating: "t", count: 3000))
            try scene.publish([Array(#"{"conversation_id":"nowhere"}"#.utf8)], properties)
            try setFrameMax(4096)
            let worker = Result { try scene.startWorker() }
            defer { withExtendedLifetime(worker) {} }
            let dead = Result { try scene.deadLetters.take(1)[0] }
            try setFrameMax(131_072)
            let deadLetter = try dead.get()
            #expect(deadLetter.properties.headers[HeaderName.attempts] == .integer(3))
            #expect(deadLetter.header(HeaderName.code) == "CONVERSATION_NOT_FOUND")
            #expect(!deadLetter.header(HeaderName.reason).isEmpty)
        }

        /// Fault: "a socket error occurred", whatever the system said.
        @Test func aRefusedConnectionIsCalledThat() throws {
            let scene = try Scene()
            let worker = try scene.startWorker([
                "RABBITMQ_URL": "amqp://127.0.0.1:1/"
            ])
            try eventually("the system's reason") {
                let error = worker.events("consumer.connection-lost").first?["error"] as? String
                return error?.contains("Connection refused") == true
            }
        }
    }
}

/// A user of the broker with what GettingStarted.md gives a worker, to be changed by a test.
private struct BrokerUser {
    private let scene: Scene

    init(_ scene: Scene) throws {
        self.scene = scene
        try Servers.rabbitmqctl("add_user", scene.name, "password")
        try permit()
    }

    var variables: [String: String] {
        let port = scene.settings.endpoint.addresses[0].port
        return ["RABBITMQ_URL": "amqp://\(scene.name):password@127.0.0.1:\(port)/%2F"]
    }

    /// - Parameter write: what it may publish to.
    func permit(write: String? = nil) throws {
        try Servers.rabbitmqctl(
            "set_permissions",
            scene.name,
            "^$",
            write ?? "^(\(scene.name)\\..*|amq\\.default)$",
            "^\(scene.name)$"
        )
    }

    func remove() {
        do {
            try Servers.rabbitmqctl("delete_user", scene.name)
        } catch { Issue.record(error, "a user is left over") }
    }
}
