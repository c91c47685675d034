import Foundation
import Testing

extension Integration {
    /// The worker as a systemd service, with the test as systemd.
    struct ServiceManager {
        @Test(arguments: NotifyListener.Kind.allCases)
        func itTellsWhenItIsReadyAndWhenItStops(kind: NotifyListener.Kind) throws {
            let scene = try Scene()
            let manager = try NotifyListener(kind)
            let worker = try scene.startWorker([
                "NOTIFY_SOCKET": manager.name, "DRAIN_TIMEOUT_SECONDS": "7",
            ])
            try eventually("it is ready") { manager.hasHeard("READY=1") }
            try eventually("its status is told") { manager.hasHeard("STATUS=ready") }
            // Without a watchdog there is nothing to feed.
            #expect(!manager.hasHeard("WATCHDOG=1"))
            worker.signal(SIGTERM)
            #expect(try worker.waitForExit() == 0)
            #expect(manager.hasHeard("STOPPING=1"))
            #expect(manager.hasHeard("EXTEND_TIMEOUT_USEC=37000000"))
            #expect(manager.lines.count { $0 == "READY=1" } == 1)
        }

        /// Fault: a manager that takes waiting for hanging restarts every worker, again and again,
        /// as long as the broker is away; or the other way round, holds a worker for started that
        /// has none yet.
        @Test func anOutageOfTheBrokerIsNeitherAStartNorAHang() throws {
            let scene = try Scene()
            let manager = try NotifyListener()
            let closedPort = "amqp://guest:guest@127.0.0.1:1/%2F"
            let worker = try scene.startWorker([
                "NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "400000",
                "RABBITMQ_URL": closedPort,
            ])
            for _ in 0..<10 { try manager.waitForNext("WATCHDOG=1") }
            #expect(manager.hasHeard("STATUS=not ready: not consuming from the broker"))
            #expect(manager.hasHeard("EXTEND_TIMEOUT_USEC=600000"))
            #expect(!manager.hasHeard("READY=1"))
            #expect(worker.events("worker.hangs").isEmpty)
        }

        /// Fault: the same for the database.
        @Test func anOutageOfTheDatabaseIsAStatus() throws {
            let scene = try Scene()
            let manager = try NotifyListener()
            let worker = try scene.startWorker([
                "NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "400000",
            ])
            try eventually("it is ready") { manager.hasHeard("STATUS=ready") }
            try scene.sql("REVOKE SELECT ON friendship_status FROM \(scene.name)")
            try manager.waitForNext("STATUS=not ready: the schema is not as Amity needs it")
            try manager.waitForNext("WATCHDOG=1")
            try scene.sql("GRANT SELECT ON friendship_status TO \(scene.name)")
            try manager.waitForNext("STATUS=ready")
            #expect(worker.isRunning)
        }

        /// Fault: a stopped process is taken for a live one.
        @Test func aStoppedWorkerIsSilent() throws {
            let scene = try Scene()
            let manager = try NotifyListener()
            let worker = try scene.startWorker([
                "NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "200000",
            ])
            try manager.waitForNext("WATCHDOG=1")
            worker.signal(SIGSTOP)
            try eventually("it is stopped") { try isStopped(worker.processID) }
            manager.listen()
            let silence = DispatchSemaphore(value: 0)
            _ = silence.wait(timeout: .now() + 1)
            #expect(manager.listen().isEmpty)
            worker.signal(SIGCONT)
            try manager.waitForNext("WATCHDOG=1")
        }

        /// Fault: the watchdog is fed by a timer, while the thread that does the work hangs. The
        /// worker is busy and ready when it happens, and nothing else in it is amiss.
        @Test func aHungChannelThreadStarvesTheWatchdog() throws {
            let scene = try Scene()
            let manager = try NotifyListener()
            let worker = try scene.startWorker([
                "NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "1000000",
                "HEARTBEAT_SECONDS": "1", "AMITY_FAILPOINT": "ack-sent:1:hang",
            ])
            try eventually("it is ready") { manager.hasHeard("READY=1") }
            try scene.addConversation("c1")
            try scene.publish(ids: "c1")
            // 15 seconds for a call of the library, 10 for a busy machine.
            try eventually("the hang is noticed", within: .seconds(60)) {
                !worker.events("worker.hangs").isEmpty
            }
            #expect(worker.events("worker.hangs").first?["threads"] as? String == "channel")
            manager.listen()
            let silence = DispatchSemaphore(value: 0)
            _ = silence.wait(timeout: .now() + 3)
            #expect(!manager.listen().contains("WATCHDOG=1"))
            #expect(worker.isRunning)
        }

        /// Fault: a manager that is gone, or reads nothing, stops the work.
        @Test func aManagerThatDoesNotListenDelaysNoWorker() throws {
            let scene = try Scene()
            try scene.addConversation("c1")
            let worker = try scene.startWorker(["NOTIFY_SOCKET": "/nowhere/notify"])
            try scene.publish(ids: "c1")
            try eventually("c1 is processed") { try scene.count("status = 'PROCESSED'") == 1 }
            #expect(worker.events("service-manager.unreachable").count == 1)
            worker.signal(SIGTERM)
            #expect(try worker.waitForExit() == 0)
        }

        private func isStopped(_ process: Int32) throws -> Bool {
            let stat = try String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
            return stat.split(separator: ")").last?.hasPrefix(" T") ?? false
        }
    }
}
