import Concurrency
import Messaging
import TestSupport
import Testing

@testable import AMQP

/// What is published, and what must become of it.
final class ClusterLoad {
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
