import Foundation
import Postgres
import Settings
import Testing

@testable import Operations
@testable import Storage

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

        /// Fault: for five seconds after the start status says "not ready" and explain "no worker
        /// consumes", while health says ready.
        @Test func theRowFollowsReadinessAtOnce() throws {
            let scene = try Scene()
            try scene.addConversation("c1")
            let worker = try scene.startWorker()
            let statistics = scene.statistics
            try eventually("it is ready") { !worker.events("worker.ready").isEmpty }
            try eventually("its row says so", within: .seconds(2)) {
                try statistics.workers().map(\.state) == [.ready]
            }
            worker.signal(SIGUSR1)
            try eventually("it is off") { !worker.events("intake.switched").isEmpty }
            try eventually("its row says by whom", within: .seconds(2)) {
                try statistics.workers().first?.paused?.by == "SIGUSR1"
            }
            let paused = try #require(try statistics.workers().first)
            #expect(paused.reasons == ["intake is switched off"])
            #expect(abs(paused.paused?.since.timeIntervalSinceNow ?? 99) < 5)
            let explained = try scene.amity(["explain", "c1"]).output
            #expect(explained.contains(":\(worker.processID) is paused by SIGUSR1; kill -USR2 "))
            worker.signal(SIGUSR2)
            try eventually("it is on") { worker.events("intake.switched").count == 2 }
            try eventually("its row says so", within: .seconds(2)) {
                let row = try statistics.workers().first
                return row?.state == .ready && row?.paused == nil
            }
        }

        /// Fault: the database is there, the broker is not, and the registry knows only "not
        /// consuming".
        @Test func theRowNamesTheCause() throws {
            let scene = try Scene()
            let worker = try scene.startWorker()
            let statistics = scene.statistics
            try eventually("it is ready") { try statistics.workers().map(\.state) == [.ready] }
            try Servers.without(.rabbitmq, .stop) {
                try eventually("its row names the broker") {
                    let problems = try statistics.workers().first?.problems ?? []
                    return problems.contains { $0.link == "broker-consumer" && $0.kind == "away" }
                }
                let problems = try #require(try statistics.workers().first?.problems)
                #expect(problems[0].count >= 1 && !problems[0].text.isEmpty)
                #expect(abs(problems[0].since.timeIntervalSinceNow) < 30)
                let status = try scene.amity(["status"]).output
                #expect(status.contains(":\(worker.processID): broker-consumer away ("))
                #expect(status.contains(problems[0].text))
            }
            try eventually("nothing is left of it", within: .seconds(40)) {
                let row = try statistics.workers().first
                return row?.state == .ready && row?.problems == []
            }
        }

        /// Fault: a new version starts before its migration, on a registry that lacks a column.
        @Test func aRegistryOfAnOlderVersionIsOffAndNothingElse() throws {
            let scene = try Scene()
            try scene.sql("ALTER TABLE amity_workers DROP COLUMN problems, DROP COLUMN paused")
            try scene.addConversation("c1")
            let worker = try scene.startWorker()
            try scene.publish(ids: "c1")
            try eventually("c1 is processed") { try scene.count("status = 'PROCESSED'") == 1 }
            try eventually("it says so") { !worker.events("registry.off").isEmpty }
            let off = worker.events("registry.off")[0]
            #expect((off["remedy"] as? String)?.contains("amity migrate") == true)
            let status = try scene.amity(["status"])
            #expect(status.output.contains("amity migrate"))
        }

        /// Fault: a worker is killed, its row goes on saying that it is ready, and what a dead
        /// worker of another kind left in PROCESSING waits for the next sweep.
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

        /// Fault: no worker is left to notice that the last one died.
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

        /// Fault: a team starts on the Python service's tables, without `amity migrate`, and the
        /// worker fails, or fills its log, for want of its own.
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
            _ = try Migrator(target: scene.owner, version: amityVersion).run()
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
