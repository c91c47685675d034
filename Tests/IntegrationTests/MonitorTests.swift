import Concurrency
import Foundation
import Postgres
import TestSupport
import Testing

@testable import Operations

extension Integration {
    /// What the workers find out about their queue, one of them for all.
    struct Monitor {
        private static let settings = [
            "MONITOR_INTERVAL_SECONDS": "1", "ALERT_QUEUE_DEPTH": "5",
            "ALERT_OLDEST_AGE_SECONDS": "600", "ALERT_DEAD_LETTERS": "1",
        ]

        /// Alerts of one kind that any of them has told, in short.
        private func told(_ workers: [RunningWorker], _ alert: AlertName) -> (
            raised: Int, cleared: Int
        ) {
            func count(_ event: String) -> Int {
                workers.flatMap { $0.events(event) }.count {
                    $0["alert"] as? String == alert.rawValue
                }
            }
            return (count("alert.raised"), count("alert.cleared"))
        }

        private static let planted: [AlertName] = [
            .queueDepth, .oldestAge, .deadLetters, .noConsumers,
        ]

        /// A queue without a consumer, too long and too old, with a dead letter.
        private func plant(in scene: Scene, _ workers: [RunningWorker]) throws {
            for worker in workers {
                try worker.waitUntilConsuming()
                worker.signal(SIGUSR1)
                try eventually("it is off its queue") { !worker.events("consumer.paused").isEmpty }
            }
            try scene.addConversations(10)
            try scene.sql("UPDATE conversation_events SET created_at = now() - interval '1 hour'")
            try scene.publish(ids: (0..<10).map { "c\($0)" })
            try scene.bury(Array("poison".utf8), .init())
            for name in Self.planted {
                try eventually("\(name) is raised") { told(workers, name).raised > 0 }
            }
        }

        /// Fault: each worker tells each alert, or none ends.
        @Test func alertsRiseAndClearForRealAndAreToldOnceByAll() throws {
            let scene = try Scene(settings: Self.settings)
            let workers = try (0..<2).map { _ in try scene.startWorker() }
            try plant(in: scene, workers)
            let stats = try #require(try scene.statistics.queues().first)
            #expect(Set(stats.alerts.map(\.name)) == Set(Self.planted))
            #expect(stats.ready == 10 && stats.consumers == 0 && stats.deadLetters == 1)
            #expect((stats.oldestAgeSeconds ?? 0) >= 3600 && stats.queue == scene.name)
            #expect(stats.retrying == [.init(delaySeconds: 1, messages: 0)])
            for worker in workers { worker.signal(SIGUSR2) }
            _ = try scene.deadLetters.take(1)
            for name in Self.planted {
                try eventually("\(name) is cleared") { told(workers, name).cleared > 0 }
            }
            for name in Self.planted { #expect(told(workers, name) == (1, 1)) }
            let cleared = workers.flatMap { $0.events("alert.cleared") }
            #expect(cleared.allSatisfy { ($0["duration_seconds"] as? Double ?? 0) > 0 })
            try eventually("all is quiet") { try scene.statistics.queues().first?.alerts == [] }
        }

        /// Fault: the worker that watches the queue dies. No other worker takes over, or the next
        /// one raises the same alerts again.
        @Test func anotherWorkerGoesOnWhereTheOneThatWatchedDied() throws {
            let scene = try Scene(settings: Self.settings)
            let workers = try (0..<2).map { _ in try scene.startWorker() }
            try plant(in: scene, workers)
            let leader = """
                SELECT pid FROM amity_workers JOIN amity_queues ON boot_id = leader
                WHERE lease_until > now()
                """
            let first = try #require(try scene.sql(leader).integer(0, 0))
            let dying = try #require(workers.first { Int($0.processID) == first })
            dying.signal(SIGKILL)
            _ = try dying.waitForExit()
            try eventually("the other one watches") {
                let next = try scene.sql(leader)
                return next.count > 0 && next.integer(0, 0) != first
            }
            for worker in workers where worker.isRunning { worker.signal(SIGUSR2) }
            for name in Self.planted where name != .deadLetters {
                try eventually("\(name) is cleared") { told(workers, name).cleared > 0 }
                #expect(told(workers, name) == (1, 1))
            }
            #expect(told(workers, .deadLetters) == (1, 0), "it is still there")
        }

        /// Fault: where no worker can get a lease, no worker watches.
        @Test func whereNothingWasMigratedAWorkerWatchesForItself() throws {
            let scene = try Scene(.python, settings: Self.settings)
            let worker = try scene.startWorker()
            try plant(in: scene, [worker])
            worker.signal(SIGUSR2)
            try eventually("it is cleared") { told([worker], .queueDepth) == (1, 1) }
        }

        /// Fault: another consumer takes the messages, and everything is green.
        @Test func aConsumerThatIsNoWorkerIsAnAlert() throws {
            let scene = try Scene(settings: Self.settings)
            let workers = try (0..<2).map { _ in try scene.startWorker() }
            for worker in workers { try worker.waitUntilConsuming() }
            // A paused one is no consumer: it must not hide the other.
            workers[1].signal(SIGUSR1)
            try eventually("it is off") { !workers[1].events("consumer.paused").isEmpty }
            let statistics = scene.statistics
            try eventually("one worker of one consumer") {
                let stats = try statistics.queues().first
                return stats?.consumers == 1 && stats?.workersConsuming == 1
            }
            try scene.queue.whileConsuming {
                try eventually("it is raised") { told(workers, .foreignConsumers).raised == 1 }
                #expect(try statistics.queues().first?.alerts.map(\.name) == [.foreignConsumers])
                let status = try scene.amity(["status"]).output
                #expect(status.contains("ALERT foreign_consumers 1, for "), "\(status)")
            }
            try eventually("it is cleared") { told(workers, .foreignConsumers).cleared == 1 }
        }

        /// Fault: workers come, pause, drain and die, and one of them is taken for a stranger.
        @Test func workersAreNeverTakenForOthers() throws {
            let scene = try Scene(settings: Self.settings)
            let first = try scene.startWorker()
            try first.waitUntilConsuming()
            var workers = [first]
            for _ in 0..<2 {
                let next = try scene.startWorker()
                workers.append(next)
                try next.waitUntilConsuming()
                next.signal(SIGUSR1)
                try eventually("it is off") { !next.events("consumer.paused").isEmpty }
                next.signal(SIGUSR2)
                next.signal(SIGTERM)
                _ = try next.waitForExit()
                let doomed = try scene.startWorker()
                workers.append(doomed)
                try doomed.waitUntilConsuming()
                doomed.signal(SIGKILL)
                _ = try doomed.waitForExit()
            }
            try eventually("it was looked at") {
                let stats = try scene.statistics.queues().first
                return stats?.consumers == 1
            }
            #expect(told(workers, .foreignConsumers).raised == 0)
        }

        /// Fault: the broker is short of memory or disk, a worker knows it, and everything is
        /// green.
        @Test func aBrokerThatBlocksAnyWorkerIsAnAlert() throws {
            let scene = try Scene(settings: Self.settings)
            let worker = try scene.startWorker()
            try eventually("it is there") {
                try scene.statistics.workers().map(\.state) == [.ready]
            }
            try scene.sql(
                """
                INSERT INTO amity_workers
                SELECT (jsonb_populate_record(w, jsonb_build_object('boot_id', 'other',
                    'heartbeat_at', now() + interval '1 hour', 'problems', jsonb_build_array(
                        jsonb_build_object('link', 'broker-publisher', 'kind', 'blocked',
                            'code', 'alarm', 'text', 'low on memory', 'secondsAgo', 3,
                            'count', 1))))).*
                FROM amity_workers AS w
                """
            )
            try eventually("it is raised") { told([worker], .brokerAlarm).raised == 1 }
            let status = try scene.amity(["status"]).output
            #expect(status.contains("ALERT broker_alarm 1, for "), "\(status)")
            #expect(status.contains("broker-publisher blocked (alarm), for "))
            try scene.sql("DELETE FROM amity_workers WHERE boot_id = 'other'")
            try eventually("it is cleared") { told([worker], .brokerAlarm).cleared == 1 }
        }

        /// Fault: a real alarm, and everything is green: a worker that publishes nothing is not
        /// told of it.
        @Test func anAlarmOfTheBrokerIsToldEverywhere() throws {
            let scene = try Scene(settings: Self.settings)
            let port = RawConnection.freePort()
            let worker = try scene.startWorker(["HTTP_PORT": "\(port)"])
            try worker.waitUntilConsuming()
            try eventually("it is ready") {
                try RawAnswer.get("/health/ready", port: port).body == #"{"status":"ready"}"#
            }
            try Servers.rabbitmqctl("set_vm_memory_high_watermark", "0")
            defer {
                do {
                    try Servers.rabbitmqctl("set_vm_memory_high_watermark", "0.4")
                } catch { Issue.record(error, "the alarm is left on") }
            }
            try eventually("it is raised", within: .seconds(60)) {
                told([worker], .brokerAlarm).raised == 1
            }
            let health = try RawAnswer.get("/health/ready", port: port)
            #expect(health.status == 200, "it goes on scoring")
            #expect(health.body.contains(#""kind":"blocked","link":"broker-publisher""#))
            let status = try scene.amity(["status"]).output
            #expect(status.contains("ALERT broker_alarm 1, for "), "\(status)")
            #expect(status.contains("broker-publisher "))
            #expect(status.contains(" blocked (alarm), for "))
            try Servers.rabbitmqctl("set_vm_memory_high_watermark", "0.4")
            try eventually("it is cleared", within: .seconds(60)) {
                told([worker], .brokerAlarm).cleared == 1
            }
        }

        /// Fault: a bounded query that reads the whole table once it is large.
        @Test(arguments: [Scene.Tables.fresh, .python])
        func theOldestConversationIsFoundByAnIndex(tables: Scene.Tables) throws {
            let scene = try Scene(tables)
            try scene.addConversations(3)
            try scene.sql(
                "UPDATE conversation_events SET created_at = now() - id * interval '1 second'"
            )
            var session = try Session(to: scene.settings.database, applicationName: "test")
            let plan = try session.flight([
                (.begin, []), (MonitorSQL.inOrder, []),
                (Statement("explain", "EXPLAIN " + MonitorSQL.oldest.sql), []), (.rollback, []),
            ])[2]
            let text = (0..<plan.count).compactMap { plan.string($0, 0) }.joined(separator: "\n")
            #expect(text.contains("Index Scan using") && !text.contains("Sort"), "\(text)")
            let look = try QueueLook.read(of: "q", isRegistered: false, in: &session)
            #expect((3...60).contains(look.oldestAge ?? 0))
            try scene.sql("UPDATE conversation_events SET status = 'SKIPPED'")
            let none = try QueueLook.read(of: "q", isRegistered: false, in: &session)
            #expect(none.oldestAge == 0)
        }

        @Test func historyHasWhatWorkersDidAndWhatWaited() throws {
            let scene = try Scene(settings: Self.settings)
            try scene.addConversations(40)
            try scene.addConversation("bad", log: "{}")
            let worker = try scene.startWorker()
            try scene.publish(ids: (0..<40).map { "c\($0)" } + ["bad"])
            let statistics = scene.statistics
            try eventually("it is told") {
                try statistics.history().points.reduce(0) { $0 + ($1.done ?? 0) } == 40
            }
            let history = try statistics.history()
            #expect(history.queue == scene.name && history.stepSeconds == 30)
            #expect(history.points.reduce(0) { $0 + ($1.dead ?? 0) } == 1)
            let busy = try #require(history.points.first { ($0.done ?? 0) > 0 })
            #expect((busy.ackSecondsP50 ?? 0) > 0)
            #expect((busy.ackSecondsP99 ?? 0) >= (busy.ackSecondsP50 ?? 1))
            #expect(abs(busy.at.timeIntervalSinceNow) < 120)
            try eventually("the dead letter is there, too") {
                try statistics.history().points.last?.deadLetters == 1
            }
            // What is older than an hour is not told, and no reader sees more than its points.
            try scene.sql(
                "UPDATE amity_worker_samples SET taken_at = taken_at - interval '61 minutes'"
            )
            #expect(try statistics.history().points.allSatisfy { ($0.done ?? 0) == 0 })
            #expect(worker.isRunning)
        }

        /// Fault: the plugin is away or refuses the request, and the monitor stops, or it logs the
        /// password.
        @Test func theManagementPluginTellsWhatIsInHand() throws {
            let isAway = Locked(false)
            let plugin = try HTTPStub { path in
                if isAway.withLock({ $0 }) { return .init(status: 401, body: "{}") }
                if path.hasSuffix("/connections") {
                    let names = [("1", "amity worker vm:1"), ("2", #"celery@b\u0000"#)].map {
                        #"{"name":"\#($0.0)","user_provided_name":"\#($0.1)"}"#
                    }
                    return .init(body: "[\(names.joined(separator: ","))]")
                }
                let consumers = ["1", "2"].map {
                    #"{"channel_details":{"connection_name":"\#($0)"}}"#
                }
                return .init(
                    body: #"{"messages_unacknowledged":7,"consumer_details":"#
                        + "[\(consumers.joined(separator: ","))]}"
                )
            }
            let url = "http://watcher:canary-4711@127.0.0.1:\(plugin.port)/"
            let scene = try Scene(
                settings: Self.settings.merging(["RABBITMQ_MANAGEMENT_URL": url]) { $1 }
            )
            let worker = try scene.startWorker()
            let statistics = scene.statistics
            try eventually("it tells") {
                let stats = try statistics.queues().first
                return stats?.unacked == 7 && stats?.unackedSource == .management
            }
            #expect(
                plugin.requests[0].hasPrefix(
                    "GET /api/queues/%2F/\(scene.name.replacing("_", with: "%5F")) "
                )
            )
            try scene.queue.whileConsuming {
                try eventually("it names the other") {
                    try statistics.queues().first?.foreignConsumers == [#"celery@b\u{0}"#]
                }
            }
            let token = Data("watcher:canary-4711".utf8).base64EncodedString()
            #expect(plugin.requests[0].contains("Basic \(token)"))
            isAway.withLock { $0 = true }
            try eventually("the workers tell") {
                let stats = try statistics.queues().first
                return stats?.unacked == 0 && stats?.unackedSource == .workers
            }
            #expect(worker.log.contains("the management plugin answered 401"))
            #expect(!worker.log.contains("canary-4711"))
        }
    }
}
