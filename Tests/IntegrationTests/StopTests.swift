import Foundation
import Glibc
import Testing

extension Integration {
    /// A stop is bounded whatever hangs.
    struct Stops {
        enum Hang: CaseIterable, Sendable {
            /// It was consumed from, and answers nothing any more.
            case frozenBroker
            /// A host of the broker answers no connect.
            case silentHost
            /// It accepts, and never greets.
            case mute
            case frozenDatabase
        }

        /// Fault: docker waits for ten seconds, then kills; a worker that hangs on a server that
        /// hangs takes longer, although it has nothing to finish.
        @Test(arguments: Hang.allCases)
        func aWorkerWithNothingInHandEndsWithinTwoSeconds(hang: Hang) throws {
            let scene = try Scene(settings: ["HEARTBEAT_SECONDS": "30"])
            let broker = try Proxy(to: Servers.port("RABBITMQ_URL"))
            let database = try Proxy(to: Servers.workersDatabasePort())
            let silent = try SilentListener()
            var extra: [String: String] = [:]
            switch hang {
            case .silentHost: extra["RABBITMQ_URL"] = "amqp://127.0.0.1:\(silent.port)/"
            case .mute: broker.stall([.toServer, .toClient])
            case .frozenBroker, .frozenDatabase: break
            }
            let worker = try scene.startWorker(extra, through: broker, database)
            switch hang {
            case .frozenBroker:
                try scene.addConversation("c1")
                try scene.publish(ids: "c1")
                // The publisher has a connection, too.
                try scene.publish([Array("bad".utf8)])
                try eventually("c1 is settled") { try scene.queue.isDrained() }
                broker.stall([.toServer, .toClient])
            case .frozenDatabase:
                try worker.waitUntilConsuming()
                try eventually("it is ready") { !worker.events("worker.ready").isEmpty }
                database.stall([.toServer, .toClient])
            case .silentHost, .mute:
                try eventually("it has started") { !worker.events("worker.started").isEmpty }
            }
            try expectEnd(of: worker, within: .seconds(2))
            withExtendedLifetime(silent) {}
        }

        enum InHand: CaseIterable, Sendable { case work, copy }

        /// Fault: what is in hand cannot be finished, and the stop takes longer than it was given.
        @Test(arguments: InHand.allCases)
        func aWorkerWithSomethingInHandEndsTwoSecondsAfterItsDrainTime(what: InHand) throws {
            let scene = try Scene(settings: [
                "HEARTBEAT_SECONDS": "30", "DRAIN_TIMEOUT_SECONDS": "2",
            ])
            let broker = try Proxy(to: Servers.port("RABBITMQ_URL"))
            try scene.addConversation("c1")
            try scene.sql("INSERT INTO friendship_status (user_id) VALUES ('user')")
            try scene.lock("SELECT 1 FROM friendship_status FOR UPDATE")
            let worker = try scene.startWorker(through: broker)
            try worker.waitUntilConsuming()
            switch what {
            case .work:
                try scene.publish(ids: "c1")
                try eventually("it waits for the lock") { try scene.isWorkerWaiting() }
                broker.stall([.toServer, .toClient])
            case .copy:
                broker.lose(.toServer, onceAClientSends: Array("\(scene.name).dead".utf8))
                try scene.publish([Array("bad".utf8)])
                try eventually("the copy is on its way") {
                    !worker.events("message.dead-lettered").isEmpty
                }
            }
            try expectEnd(of: worker, within: .seconds(2 + 2))
            try scene.sql("COMMIT")
        }

        private func expectEnd(of worker: RunningWorker, within limit: Duration) throws {
            worker.signal(SIGTERM)
            let begin = ContinuousClock.now
            #expect(try worker.waitForExit() == 0)
            // One more for a machine that is busy with other things.
            #expect(begin.duration(to: .now) < limit + .seconds(1))
        }

        /// Fault: as PID 1 of a container the process ignores the default action of a second
        /// signal.
        @Test(.enabled(if: geteuid() == 0, "a PID namespace takes root"))
        func aSecondSignalEndsTheFirstProcessOfAContainer() throws {
            let scene = try Scene(settings: ["DRAIN_TIMEOUT_SECONDS": "3600"])
            try scene.addConversation("c1")
            try scene.holdCommits()
            let worker = try scene.startWorker(
                below: ["/usr/bin/unshare", "--pid", "--fork", "--kill-child"]
            )
            try scene.publish(ids: "c1")
            try eventually("it has work in hand") { try scene.isCommitWaiting() }
            let child = try worker.childID()
            kill(child, SIGTERM)
            try eventually("the drain has begun") { !worker.events("consumer.draining").isEmpty }
            kill(child, SIGTERM)
            let begin = ContinuousClock.now
            let status = try worker.waitForExit()
            #expect(status == 128 + SIGTERM, "\(worker.log)")
            #expect(begin.duration(to: .now) < .seconds(3))
            try scene.release()
        }
    }
}

/// A port of this machine that answers no connect: its queue is full.
private final class SilentListener {
    let port: UInt16
    private var descriptors: [Int32] = []

    init() throws {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let listener = socket(AF_INET, type, 0)
        try #require(listener >= 0)
        var address = loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withSocketAddress(&address) { _ = bind(listener, $0, length) }
        try #require(listen(listener, 0) == 0)
        withSocketAddress(&address) { _ = getsockname(listener, $0, &length) }
        port = UInt16(bigEndian: address.sin_port)
        descriptors = [listener]
        for _ in 0..<4 {
            let client = socket(AF_INET, type, 0)
            withSocketAddress(&address) { _ = connect(client, $0, length) }
            descriptors.append(client)
        }
    }

    deinit { for descriptor in descriptors { close(descriptor) } }
}
