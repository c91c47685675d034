import Foundation
import Postgres
import Testing
import WorkerRuntime

@testable import Amity

extension Integration {
    /// What workers tell of themselves, and notice of each other.
    struct Registry {
        /// Fault: a worker that is up is not seen, or what it says of itself is wrong.
        @Test func twoWorkersAppearWithWhatTheyDoAndLeaveInPeace() throws {
            let scene = try Scene(settings: ["MAX_ATTEMPTS": "1"])
            try scene.addConversations(6)
            try scene.addConversation("bad", log: "{}")
            let first = try scene.startWorker(["MESSAGE_CONCURRENCY_PER_WORKER": "3"])
            try first.waitUntilConsuming()
            try scene.publish(ids: (0..<6).map { "c\($0)" } + ["c0", "bad"])
            let statistics = scene.statistics
            try eventually("its row says what it did") {
                let row = try statistics.workers().first
                return row?.done == 7 && row?.dead == 1 && row?.duplicates == 1
            }
            let row = try #require(try statistics.workers().first)
            #expect(row.state == .ready && row.reasons == [])
            #expect(row.processID == Int(first.processID) && row.version == amityVersion)
            #expect(row.queue == scene.name && row.settings.threads == 3)
            #expect(row.residentBytes > 5 << 20 && row.lastDeliveryAt != nil)
            #expect(row.failures.map(\.code) == ["INVALID_LOG"])
            #expect(row.failures.map(\.conversation) == ["bad"])
            #expect(row.inFlight == 0 && row.busyThreads == 0 && row.reconnects == 0)
            let second = try scene.startWorker()
            try eventually("the second is there, too") { try statistics.workers().count == 2 }
            second.signal(SIGTERM)
            #expect(try second.waitForExit() == 0)
            try eventually("it has said goodbye") {
                try statistics.workers().map(\.state) == [.ready, .stopped]
            }
            #expect(first.events("registry.worker-lost").isEmpty)
        }

        /// Fault: a worker is killed, its row goes on saying that it is ready, and what a dead worker of
        /// another kind left in PROCESSING waits for the next sweep.
        @Test func aKilledWorkerIsNoticedOnceAndASweepFollows() throws {
            let scene = try Scene(settings: [
                "TASK_TIMEOUT_SECONDS": "1", "SWEEP_AFTER_SECONDS": "600",
            ])
            let doomed = try scene.startWorker()
            let living = try (0..<2).map { _ in try scene.startWorker() }
            let statistics = scene.statistics
            try eventually("all are there") { try statistics.workers().count == 3 }
            // As the Python service leaves one that dies: no message is left of it.
            try scene.addConversation("left", status: "PROCESSING")
            try scene.sql(
                """
                UPDATE conversation_events SET created_at = now() - interval '1 minute',
                    updated_at = now() - interval '1 minute'
                """
            )
            doomed.signal(SIGKILL)
            _ = try doomed.waitForExit()
            // It has been silent for as long as it takes.
            try scene.sql(
                """
                UPDATE amity_workers SET heartbeat_at = now() - interval '31 seconds'
                WHERE pid = \(doomed.processID)
                """
            )
            try eventually("it is lost") {
                try statistics.workers().map(\.state) == [.ready, .ready, .lost]
            }
            try eventually("what was left is done") { try scene.count("status = 'PROCESSED'") == 1 }
            let lines = living.flatMap { $0.events("registry.worker-lost") }
            #expect(lines.count == 1, "one of the living says it, once")
            #expect((lines.first?["worker"] as? String)?.hasSuffix(":\(doomed.processID)") == true)
        }

        /// Fault: a worker that was stopped for a while, not dead, stays lost for ever.
        @Test func oneThatSpeaksAgainIsNotLost() throws {
            let scene = try Scene()
            let worker = try scene.startWorker()
            let statistics = scene.statistics
            try eventually("it is there") { try statistics.workers().map(\.state) == [.ready] }
            try scene.sql("UPDATE amity_workers SET state = 'lost'")
            try eventually("it is back") { try statistics.workers().map(\.state) == [.ready] }
            #expect(worker.isRunning)
        }

        /// Fault: nobody lives to notice that the last one died.
        @Test func theLastOneIsKnownByItsSilence() throws {
            let scene = try Scene()
            let worker = try scene.startWorker()
            let statistics = scene.statistics
            try eventually("it is there") { try statistics.workers().map(\.state) == [.ready] }
            worker.signal(SIGKILL)
            _ = try worker.waitForExit()
            try scene.sql("UPDATE amity_workers SET heartbeat_at = now() - interval '31 seconds'")
            #expect(try statistics.workers().map(\.state) == [.lost])
        }

        /// Fault: a worker that dies every second fills the database with what it was.
        @Test func theGoneAreForgotten() throws {
            let scene = try Scene()
            let worker = try scene.startWorker()
            let statistics = scene.statistics
            try eventually("it is there") { try statistics.workers().map(\.state) == [.ready] }
            try scene.sql(
                """
                INSERT INTO amity_workers
                SELECT (w).* FROM (
                    SELECT jsonb_populate_record(w, jsonb_build_object(
                        'boot_id', gone.state || number, 'state', gone.state,
                        'heartbeat_at', now() - interval '1 minute' * number)) AS w
                    FROM amity_workers AS w, generate_series(1, 150) AS number,
                        (VALUES ('lost'), ('stopped')) AS gone (state)) AS copies
                """
            )
            try scene.sql(
                """
                INSERT INTO amity_worker_samples
                SELECT now() - interval '1 minute' * number, 'old', '\(scene.name)', 0, 0, 0, 0
                FROM generate_series(1, 100) AS number
                """
            )
            var session = try Session(to: scene.owner, applicationName: "test")
            _ = try session.flight([
                (RegistrySQL.forgetGone, [.integer(200)]), (RegistrySQL.forgetSamples, []),
            ])
            let kept = try scene.sql(
                """
                SELECT count(*) FILTER (WHERE state = 'lost'),
                       count(*) FILTER (WHERE state = 'stopped'),
                       count(*) FILTER (WHERE state = 'ready') FROM amity_workers
                """
            )
            // The 200 latest are 100 of each, and of those that were stopped only this hour counts.
            #expect(kept.integer(0, 0) == 100 && kept.integer(0, 1) == 59)
            #expect(kept.integer(0, 2) == 1 && worker.isRunning)
            let samples = try scene.sql(
                "SELECT count(*) FROM amity_worker_samples WHERE boot_id = 'old'"
            )
            #expect(samples.integer(0, 0) == 64)
        }

        /// Fault: a team starts on the Python service's tables, without `amity migrate`, and the worker
        /// fails, or fills its log, for want of its own.
        @Test func whereNothingWasMigratedOneLineSaysSoUntilItIs() throws {
            let scene = try Scene(.python, settings: ["MONITOR_INTERVAL_SECONDS": "1"])
            try scene.addConversations(5)
            let worker = try scene.startWorker()
            try scene.publish(ids: (0..<5).map { "c\($0)" })
            try eventually("all are processed") { try scene.count("status = 'PROCESSED'") == 5 }
            try eventually("it says so") { !worker.events("registry.off").isEmpty }
            let off = worker.events("registry.off")[0]
            #expect((off["error"] as? String)?.contains("amity_workers") == true)
            try eventually("it has tried again") { !worker.events("registry.not-told").isEmpty }
            _ = try Migrator(target: scene.owner).run()
            try scene.grantAgain()
            try eventually("it goes on by itself") { !worker.events("registry.on").isEmpty }
            #expect(try scene.statistics.workers().first?.done == 5)
            #expect(worker.events("registry.off").count == 1)
        }
    }
}

extension Scene {
    /// Read as a worker reads it.
    var statistics: Statistics {
        Statistics(
            sessions: SessionPool(
                target: settings.database,
                limit: 1,
                applicationName: "test",
                statementTimeout: .seconds(10)
            ),
            queue: name
        )
    }

    /// Grants what has been made since.
    func grantAgain() throws {
        let grants = Servers.root.appending(path: "deploy/grants.sql").path
        try Servers.psql(["-v", "role=\(name)", "-f", grants], searchPath: name)
    }
}
