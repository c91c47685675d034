import Foundation
import TestSupport
import Testing

extension Integration.ClusterTrial {
    /// Faults: workers, of conversations or of tasks, stay away from a cluster that has lost a
    /// node or two, all consume from one node, do not move back, or lose or double what was in the
    /// queues.
    @Test(.timeLimit(.minutes(60)), arguments: ["quorum", "classic"], Cluster.seeds)
    func whateverNodesAreLostWorkGoesOn(type: String, seed: UInt64) throws {
        let trial = try NodeLossTrial(type, seed)
        do {
            try trial.run()
        } catch {
            trial.load.showLogs()
            throw error
        }
    }
}

private final class NodeLossTrial {
    private static let heartbeatSeconds = 5.0
    private let cluster: Cluster
    private let type: String
    private let seed: UInt64
    private var random: SeededGenerator
    let load: TrialLoad

    init(_ type: String, _ seed: UInt64) throws {
        let cluster = try #require(Cluster.shared)
        (self.cluster, self.type, self.seed) = (cluster, type, seed)
        random = SeededGenerator(seed: seed)
        load = try TrialLoad(
            seed: seed,
            workers: 3,
            settings: [
                "RABBITMQ_URL": cluster.url(first: 1), "RABBITMQ_QUEUE_TYPE": type,
                "HEARTBEAT_SECONDS": "\(Int(Self.heartbeatSeconds))",
                // Nothing that was lost is brought back.
                "SWEEP_AFTER_SECONDS": "86400",
            ]
        ) { scene in
            try cluster.counts(from: 1).allSatisfy { queue, messages in
                messages == 0 || queue != scene.name && !queue.hasPrefix("\(scene.name).retry.")
            }
        }
    }

    func run() throws {
        try load.waitForWork()
        // Each chooses by itself: of a few, all may choose one.
        while Set(try homes()).count == 1, load.workers.count < 10 { try load.startWorker() }
        let homes = try homes()
        #expect(Set(homes).count > 1, "all consumers begin on one node")
        for (index, node) in [1, 2, 3].shuffled(using: &random).enumerated() {
            try lose("kill-node", "start-node", [node], within: 2)
            if index == 0 { try expectAllToMoveBack(to: homes) }
        }
        let two = [1, 2, 3].shuffled(using: &random).prefix(2)
        try lose("kill-node", "start-node", Array(two), within: .infinity)
        let patience = 2 * Self.heartbeatSeconds + 10
        try lose("cut-node", "mend-node", [pick()], within: patience)
        try lose("freeze-node", "thaw-node", [pick()], within: patience)
        try lose("drain-node", "revive-node", [pick()], within: 2)
        let gone = try load.finish()
        #expect(gone.conversations == 0 && gone.tasks == 0)
    }

    /// The first node of each consumer.
    private func homes() throws -> [Int] {
        try eventually("all consume") { consumers().allSatisfy { !started($0).isEmpty } }
        return consumers().compactMap { started($0).first?.node }
    }

    /// A node that a consumer is on.
    private func pick() -> Int {
        let nodes = Set(consumers().compactMap { started($0).last?.node }).sorted()
        return nodes[Int.random(in: nodes.indices, using: &random)]
    }

    // MARK: Losses

    /// Has nodes go and come back.
    ///
    /// - Parameter limit: seconds, until each consumer that has lost its node consumes again while
    ///   the nodes are away.
    private func lose(
        _ loss: String,
        _ return: String,
        _ nodes: [Int],
        within limit: Double
    ) throws {
        let name = "\(type), seed \(seed): \(loss) \(nodes)"
        let before = consumers().map(started)
        let lost = Date()
        for node in nodes { try cluster.control(loss, "\(node)") }
        // A classic queue is away with its node, and nothing can be consumed without a majority.
        let isAway = type == "classic" || limit == .infinity
        if isAway {
            Thread.sleep(forTimeInterval: 5)
        } else {
            try waitUntilConsuming(elsewhereThan: nodes, within: limit)
            report(name, before, since: lost, limit)
            // Longer than a node that lives may have counted it among the living.
            Thread.sleep(forTimeInterval: 3)
        }
        let middle = consumers().map(started)
        for node in nodes { try cluster.control(`return`, "\(node)") }
        let back = Date()
        try load.waitForWork()
        if isAway { report("\(name), from its return", middle, since: back, 10) }
    }

    private func waitUntilConsuming(elsewhereThan nodes: [Int], within limit: Double) throws {
        try eventually("all consume from a node that lives", within: .seconds(limit + 10)) {
            consumers().allSatisfy { consumer in
                started(consumer).last.map { !nodes.contains($0.node) } ?? false
            }
        }
    }

    /// Holds the last start of each consumer that has begun anew against a limit.
    private func report(
        _ name: String,
        _ before: [[Start]],
        since moment: Date,
        _ limit: Double
    ) {
        let times = zip(consumers(), before).compactMap { consumer, before -> Double? in
            let now = started(consumer).dropFirst(before.count)
            // One that moves back to its first node has lost none.
            return now.last { !$0.isMove }?.time.timeIntervalSince(moment)
        }
        let longest = times.max().map { " again after \(max(0, $0 * 10).rounded() / 10) s" } ?? ""
        print("cluster: \(name): \(times.count) of \(before.count) consumers\(longest)")
        if times.allSatisfy({ $0 < limit }) { return }
        Issue.record("\(name)")
        load.showLogs()
    }

    private func expectAllToMoveBack(to homes: [Int]) throws {
        let begin = Date()
        try eventually("all are back on the node that they began with", within: .seconds(60)) {
            consumers().compactMap { started($0).last?.node } == homes
        }
        print("cluster: \(type): all moved back within \(Int(-begin.timeIntervalSinceNow)) s")
    }

    // MARK: What the workers' logs say

    private struct Start {
        var node: Int
        var time: Date
        var isMove: Bool
    }

    /// Of conversations and of tasks, of each worker.
    private func consumers() -> [(worker: RunningWorker, event: String)] {
        load.workers.flatMap { worker in
            ["consumer.started", "task-consumer.started"].map { (worker, $0) }
        }
    }

    private func started(_ consumer: (worker: RunningWorker, event: String)) -> [Start] {
        let moving = consumer.event.replacing("started", with: "moving")
        let moves = consumer.worker.events(moving).compactMap(time)
        return consumer.worker.events(consumer.event).compactMap { event in
            guard let host = event["host"] as? String, let time = time(of: event),
                let node = try? cluster.node(at: host)
            else { return nil }
            // It takes milliseconds: nothing but its own session is closed.
            let isMove = moves.contains { (0..<1).contains(time.timeIntervalSince($0)) }
            return Start(node: node, time: time, isMove: isMove)
        }
    }

    private func time(of event: [String: Any]) -> Date? {
        let format = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        return (event["time"] as? String).flatMap { try? format.parse($0) }
    }
}
