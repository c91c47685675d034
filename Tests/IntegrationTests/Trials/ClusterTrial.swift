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
        /// Fault: the node that leads the workers' queue, and to which some are connected, dies.
        /// With quorum queues all goes on within two seconds, retries and dead-lettering too.
        @Test(arguments: Cluster.seeds)
        func theLossOfTheLeadersNodeCostsTwoSecondsAndNoMessage(seed: UInt64) throws {
            let cluster = try #require(Cluster.shared)
            let node = Int(seed % 3) + 1
            let load = try ClusterLoad(
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
            let connected = try workers.filter { try cluster.node(of: $0) == node }
            load.publish(300)
            try eventually("a part of it is scored") {
                try load.scene.count("status = 'PROCESSED'") > 50
            }
            let killed = Date()
            try cluster.control("kill-node", "\(node)")
            let found = Result {
                load.publish(300)
                for worker in connected { try expectResumed(worker, since: killed, seed) }
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
            let settings = ["PREFETCH_COUNT": "20"]
            let load = try ClusterLoad(cluster, first: 1, seed: 1, settings: settings)
            try TestQueue(name: load.scene.name, endpoint: load.scene.settings.endpoint)
                .declare([("x-queue-type", .string("quorum"))])
            let worker = try load.scene.startWorker()
            try eventually("the helper queues are made") {
                worker.events("topology.queue-declared").count == 2
            }
            let node = try cluster.node(of: worker)
            let killed = Date()
            try cluster.control("kill-node", "\(node)")
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
            try cluster.control("start-node", "\(node)")
            try load.expectEnd(seenFrom: node % 3 + 1)
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
