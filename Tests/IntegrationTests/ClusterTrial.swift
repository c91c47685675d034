import Concurrency
import Foundation
import Messaging
import TestSupport
import Testing

@testable import AMQP

extension Integration {
    /// The broker is a cluster of three, and a node of it dies under load. Run by
    /// `deploy/dev/cluster-trial`, which starts the nodes; elsewhere these tests are left out.
    @Suite(.serialized, .enabled(if: Cluster.shared != nil, "deploy/dev/cluster-trial runs them"))
    struct ClusterTrial {
        /// Fault: the node to which the workers are connected, and which leads their queue, is
        /// killed. With quorum queues all goes on within two seconds: conversations, retries and
        /// dead letters.
        @Test(arguments: Cluster.seeds)
        func theLossOfTheLeadersNodeCostsTwoSecondsAndNoMessage(seed: UInt64) throws {
            let cluster = try #require(Cluster.shared)
            let node = Int(seed % 3) + 1
            let load = try Load(
                cluster,
                first: node,
                seed: seed,
                settings: ["RABBITMQ_QUEUE_TYPE": "quorum"]
            )
            // The queue is led by the node that declares it.
            try load.scene.settings.topology.ensure(
                at: load.scene.settings.endpoint,
                logger: quiet
            )
            let workers = try [load.scene.startWorker(), load.scene.startWorker()]
            for worker in workers { try worker.waitUntilConsuming() }
            load.publish(300)
            try eventually("a part of it is scored") {
                try load.scene.count("status = 'PROCESSED'") > 50
            }
            let killed = Date()
            try cluster.control("kill-node", "\(node)")
            let found = Result {
                load.publish(300)
                for worker in workers { try expectResumed(worker, since: killed, seed) }
                try load.expectEnd(seenFrom: node % 3 + 1)
            }
            try cluster.control("start-node", "\(node)")
            if case .failure = found { for worker in workers { print(worker.log.suffix(4000)) } }
            try found.get()
            for worker in workers { worker.signal(SIGTERM) }
            for worker in workers { #expect(try worker.waitForExit() == 0) }
        }

        /// Fault: the helper queues are classic, on a node that is away for a minute, and the
        /// workers wait for it although their queue is there.
        @Test func helperQueuesThatAreAwayStopNoConversation() throws {
            let cluster = try #require(Cluster.shared)
            let load = try Load(cluster, first: 1, seed: 1, settings: ["PREFETCH_COUNT": "20"])
            var second = load.scene.settings.endpoint
            second.addresses.removeFirst()
            try TestQueue(name: load.scene.name, endpoint: second).declare([
                ("x-queue-type", .string("quorum"))
            ])
            let worker = try load.scene.startWorker()
            try eventually("the helper queues are made, on node 1") {
                worker.events("topology.queue-declared").count == 2
            }
            let killed = Date()
            try cluster.control("kill-node", "1")
            load.publish(400)
            try expectResumed(worker, since: killed, 1)
            do {
                try eventually("conversations go on", within: .seconds(40)) {
                    try load.scene.count("status = 'PROCESSED'") == load.good
                }
            } catch {
                let scored = try load.scene.count("status = 'PROCESSED'")
                let lines = worker.log.split(separator: "\n")
                    .filter { !$0.contains("stale-completion") }
                print("cluster: \(scored) of \(load.good) scored")
                for line in lines { print(line) }
                throw error
            }
            print(
                "cluster: \(load.good) conversations scored, \(Self.seconds(since: killed)) s "
                    + "after the loss, while retries and dead letters wait"
            )
            try eventually("what is away is named") {
                worker.events("topology.queue-unavailable").contains {
                    $0["queue"] as? String == "\(load.scene.name).dead"
                }
            }
            let away = ProcessInfo.processInfo.environment["AMITY_AWAY_SECONDS"] ?? "60"
            let patience = (Double(away) ?? 60) - Self.seconds(since: killed)
            Thread.sleep(forTimeInterval: max(0, patience))
            #expect(worker.events("consumer.started").count == 2, "the session was lost again")
            try cluster.control("start-node", "1")
            try load.expectEnd(seenFrom: 2)
            worker.signal(SIGTERM)
            #expect(try worker.waitForExit() == 0)
        }

        private func expectResumed(
            _ worker: RunningWorker,
            since killed: Date,
            _ seed: UInt64
        ) throws {
            try worker.resumes(session: 2)
            let time = try #require(worker.events("consumer.started")[1]["time"] as? String)
            let format = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
            let seconds = try format.parse(time).timeIntervalSince(killed)
            print("cluster: seed \(seed): consuming again after \(seconds) s")
            #expect(seconds < 2)
        }

        private static func seconds(since date: Date) -> Double {
            (Date().timeIntervalSince(date) * 10).rounded() / 10
        }
    }
}

/// The nodes that `deploy/dev/cluster-trial` has started.
private struct Cluster: Sendable {
    let folder: String
    let password: String
    let ports: [String]

    static let seeds: [UInt64] =
        (ProcessInfo.processInfo.environment["AMITY_SEEDS"] ?? "1").split(separator: ",")
        .compactMap { UInt64($0) }

    /// nil where nothing was started.
    static let shared: Cluster? = {
        guard let text = ProcessInfo.processInfo.environment["AMITY_CLUSTER"] else { return nil }
        let pairs = text.split(separator: " ").map { $0.split(separator: "=", maxSplits: 1) }
        let values = Dictionary(
            uniqueKeysWithValues: pairs.map { (String($0[0]), String($0.last ?? "")) }
        )
        guard let folder = values["CLUSTER_DIR"], let password = values["CLUSTER_PASSWORD"],
            let ports = values["CLUSTER_PORTS"]
        else { return nil }
        return Cluster(
            folder: folder,
            password: password,
            ports: ports.split(separator: ",").map(String.init)
        )
    }()

    /// - Parameter node: the first to connect to, 1 to 3.
    func url(first node: Int) -> String {
        (0..<3).map { ports[(node - 1 + $0) % 3] }
            .map { "amqp://amity:\(password)@127.0.0.1:\($0)/%2F" }.joined(separator: ",")
    }

    @discardableResult
    func control(_ command: String, _ arguments: String...) throws -> String {
        let script = Servers.root.appending(path: "deploy/dev/cluster-trial")
        let done = try Command.run(script, [command, folder] + arguments)
        try #require(done.status == 0, "\(command): \(done.error)")
        return done.output
    }

    /// Messages in each queue, ready or unsettled, as a node sees it.
    func counts(from node: Int) throws -> [String: Int] {
        let list = try control(
            "ctl",
            "\(node)",
            "list_queues",
            "--no-table-headers",
            "name",
            "messages"
        )
        return TestQueue.counts(in: list)
    }
}

/// What is published, and what must become of it.
private final class Load {
    let scene: Scene
    private let cluster: Cluster
    private let publisher: Publisher
    private var random: SeededGenerator
    private var published = 0
    private let confirmed = Locked(0)
    private(set) var good = 0
    private var late: [String] = []
    private var bad: Set<[UInt8]> = []

    init(_ cluster: Cluster, first node: Int, seed: UInt64, settings: [String: String]) throws {
        self.cluster = cluster
        random = SeededGenerator(seed: seed)
        let preset = [
            "RABBITMQ_URL": cluster.url(first: node), "HEARTBEAT_SECONDS": "5",
            "MAX_ATTEMPTS": "100", "LOG_LEVEL": "info",
        ]
        scene = try Scene(settings: preset.merging(settings) { _, new in new })
        try scene.addConversations(1000)
        publisher = Publisher(
            endpoint: scene.settings.endpoint,
            topology: scene.settings.topology,
            insists: true,
            logger: quiet
        )
        publisher.start()
    }

    deinit { publisher.stop() }

    /// Most are good, some are there before their rows, some are bad.
    func publish(_ count: Int) {
        for _ in 0..<count {
            published += 1
            let body: [UInt8]
            switch Int.random(in: 0..<20, using: &random) {
            case 0:
                body = Array("bad \(published)".utf8)
                bad.insert(body)
            case 1, 2:
                late.append("late-\(published)")
                body = Array(#"{"conversation_id":"late-\#(published)"}"#.utf8)
            case _:
                body = Array(#"{"conversation_id":"c\#(good)"}"#.utf8)
                good += 1
            }
            var properties = MessageProperties()
            properties.messageID = "\(published)"
            publisher.publish(
                Message(properties: properties, body: body),
                routingKey: scene.name
            ) { [confirmed] _ in confirmed.withLock { $0 += 1 } }
        }
    }

    /// The late rows come, and everything must end.
    ///
    /// - Parameter node: one that lives.
    func expectEnd(seenFrom node: Int) throws {
        for id in late { try scene.addConversation(id, user: "late") }
        let scored = good + late.count
        do {
            try eventually("all is scored", within: .seconds(60)) {
                try scene.count("status = 'PROCESSED'") == scored
            }
        } catch {
            let queues = try cluster.counts(from: node).filter { $0.key.hasPrefix(scene.name) }
            print(
                "cluster: published \(published), confirmed \(confirmed.withLock(\.self)), "
                    + "scored \(try scene.count("status = 'PROCESSED'")) of \(scored), "
                    + "queues \(queues)"
            )
            throw error
        }
        var endpoint = scene.settings.endpoint
        endpoint.addresses = [.init(host: "127.0.0.1", port: UInt16(cluster.ports[node - 1]) ?? 0)]
        func ready(_ suffix: String) throws -> Int {
            try TestQueue(name: scene.name + suffix, endpoint: endpoint).ready()
        }
        do {
            try eventually("all dead letters are there, and nothing else", within: .seconds(40)) {
                try ready("") == 0 && ready(".retry.1") == 0 && ready(".dead") >= bad.count
            }
        } catch {
            let found = (try ready(""), try ready(".retry.1"), try ready(".dead"))
            print("cluster: queue, retries, dead letters: \(found), bad messages: \(bad.count)")
            throw error
        }
        let sum = try scene.sql("SELECT sum(friendship_score)::bigint FROM friendship_status")
        #expect(sum.integer(0, 0) == scored, "a conversation counted twice, or not at all")
        let queue = TestQueue(name: "\(scene.name).dead", endpoint: endpoint)
        let deadLetters = try queue.take(try queue.ready())
        #expect(Set(deadLetters.map(\.body)) == bad)
        print(
            "cluster: \(scored) scored, \(late.count) of them retried, \(deadLetters.count) "
                + "dead letters of \(bad.count) bad messages"
        )
    }
}
