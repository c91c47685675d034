import Foundation
import Testing

extension Integration {
    /// The database, and the network to it, at their worst. It is never a message's fault: no
    /// attempt is spent, nothing is dead-lettered, and work goes on by itself soon after the end.
    struct DatabaseFaults {
        /// Promised are 5 seconds; the rest is for a slow machine.
        private let resumption = Duration.seconds(15)

        /// Fault: a restart or a crash in the middle of transactions.
        @Test(arguments: Servers.Ending.allCases)
        func aRestartInTheMiddleOfWorkIsWaitedOut(ending: Servers.Ending) throws {
            let scene = try Scene()
            try scene.holdCommits()
            try scene.addConversations(40)
            try scene.publish(ids: (0..<20).map { "c\($0)" })
            let worker = try scene.startWorker()
            try eventually("commits wait") { try scene.isCommitWaiting() }
            try Servers.without(.postgres, ending) {
                try eventually("the worker says so") { worker.outages >= 1 }
                try scene.publish(ids: (20..<40).map { "c\($0)" })
            }
            try scene.reconnect()
            try scene.expectEachToCountOnce(40, by: worker, within: resumption)
            #expect(worker.outages == 1, "one outage, one line")
        }

        /// Fault: an administrator, a failover or a pooler ends sessions in mid-transaction.
        @Test func sessionsKilledUnderLoadCostNothing() throws {
            let scene = try Scene()
            try scene.holdCommits()
            try scene.addConversations(200)
            let worker = try scene.startWorker()
            for round in 0..<5 {
                try scene.publish(ids: (0..<40).map { "c\(round * 40 + $0)" })
                try eventually("commits wait") { try scene.isCommitWaiting() }
                #expect(try scene.killSessions() > 0)
                try scene.release()
                try eventually("half of them are done") {
                    try scene.count("status = 'PROCESSED'") >= round * 40 + 20
                }
                if round < 4 { try scene.holdAgain() }
            }
            try scene.expectEachToCountOnce(200, by: worker, within: resumption)
        }

        /// Fault: a failover leaves the worker's sessions on a server that only reads. It lets them
        /// live, so they would be used, in vain, for ever.
        @Test func aReadOnlyDatabaseIsWaitedOutOnNewSessions() throws {
            let scene = try Scene()
            try scene.addConversations(10)
            let refused = try Servers.postgresLogCount("in a read-only transaction")
            try scene.alterRole("SET default_transaction_read_only = on")
            let worker = try scene.startWorker()
            try scene.publish(ids: (0..<10).map { "c\($0)" })
            try eventually("the worker says so") { worker.outages == 1 }
            #expect(worker.log.contains("SQLSTATE 25006"))
            #expect(try Servers.postgresLogCount("in a read-only transaction") > refused)
            try scene.alterRole("RESET default_transaction_read_only")
            try scene.expectEachToCountOnce(10, by: worker, within: resumption)
        }

        /// Fault: the server, or the role, has fewer connections left than the worker has threads.
        @Test(.withoutPooler) func tooManyConnectionsAreWaitedOut() throws {
            let scene = try Scene()
            try scene.holdCommits()
            try scene.addConversations(20)
            try scene.alterRole("CONNECTION LIMIT 1")
            try scene.publish(ids: (0..<20).map { "c\($0)" })
            let worker = try scene.startWorker([
                "MESSAGE_CONCURRENCY_PER_WORKER": "4", "BATCH_MAX": "2",
            ])
            try eventually("one commit waits") { try scene.isCommitWaiting() }
            try eventually("the worker says so") {
                worker.log.contains("too many connections for role")
            }
            try scene.release()
            try eventually("one session does what it can") {
                try scene.count("status = 'PROCESSED'") > 0
            }
            try scene.alterRole("CONNECTION LIMIT -1")
            try scene.expectEachToCountOnce(20, by: worker, within: resumption)
        }

        /// Fault: the disk is full (53100). The events live on a file system of one megabyte.
        @Test(.enabled(if: geteuid() == 0, "mounting takes root"), arguments: ["1", "4"])
        func aFullDiskIsWaitedOut(threads: String) throws {
            let scene = try Scene()
            let disk = try SmallDisk(for: scene)
            defer { disk.remove() }
            for number in 0..<40 {
                // The next version of a small one still fits beside it.
                let text = String(repeating: "x", count: number < 3 ? 1 : 1000)
                try scene.addConversation(
                    "c\(number)",
                    user: "user-\(number % 4)",
                    log: #"[{"speaker":"pika","text":"\#(text)"},{"speaker":"user"}]"#
                )
            }
            try disk.fill()
            let refused = try Servers.postgresLogCount("No space left on device")
            try scene.publish(ids: (0..<40).map { "c\($0)" })
            // With one thread, those pass beside the others, in one batch.
            let worker = try scene.startWorker(["MESSAGE_CONCURRENCY_PER_WORKER": threads])
            try eventually("the worker says so") { worker.outages >= 1 }
            #expect(worker.log.contains("SQLSTATE 53100"))
            #expect(try Servers.postgresLogCount("No space left on device") > refused)
            try disk.clear()
            try scene.expectEachToCountOnce(40, by: worker, within: resumption)
        }

        /// Fault: another session's transaction takes the locks in another order. The server picks
        /// a victim. Here it picks the worker, because its role looks for deadlocks first.
        @Test func aDeadlockIsRedone() throws {
            let scene = try Scene()
            try scene.alterRole("SET deadlock_timeout = '2s'")
            try scene.holdCommits()
            try scene.addConversation("c1")
            try scene.sql("INSERT INTO friendship_status (user_id) VALUES ('user')")
            let worker = try scene.startWorker()
            try scene.publish(ids: "c1")
            try eventually("the commit waits, with the user locked") {
                try scene.isWorkerWaiting()
            }
            let deadlocks = try Servers.postgresLogCount("deadlock detected")
            try scene.sql("SET deadlock_timeout = '1min'")
            try scene.sql("SET lock_timeout = 0")
            // It waits for the worker, which waits for the lock that this session holds.
            try scene.sql("UPDATE friendship_status SET streak_day = 7")
            #expect(try Servers.postgresLogCount("deadlock detected") == deadlocks + 1)
            try scene.release()
            try scene.expectEachToCountOnce(1, by: worker, within: resumption)
        }

        /// Fault: the role's default isolation is stricter than what the statements count on: what
        /// is read after a lock is older than the lock.
        @Test(.withoutPooler, arguments: ["repeatable read", "serializable"])
        func aStricterDefaultIsolationIsOverridden(isolation: String) throws {
            let scene = try Scene()
            try scene.alterRole("SET default_transaction_isolation = '\(isolation)'")
            try scene.addConversations(200)
            let failures = try Servers.postgresLogCount("could not serialize access")
            try scene.publish(ids: (0..<200).map { "c\($0)" })
            let workers = try (0..<2).map { _ in try scene.startWorker(["BATCH_MAX": "4"]) }
            try scene.expectEachToCountOnce(200, by: workers[0], workers[1], within: resumption)
            #expect(try Servers.postgresLogCount("could not serialize access") == failures)
        }

        /// Fault: a migration changes columns under a running worker, whose prepared statements are
        /// outdated by it (0A000).
        @Test func aMigrationUnderLoadIsSurvived() throws {
            let scene = try Scene()
            try scene.sql("SET lock_timeout = 0")
            try scene.addConversations(160)
            let worker = try scene.startWorker()
            let outdated = try Servers.postgresLogCount("cached plan must not change result type")
            let changes = [
                "ALTER TABLE conversation_events ADD COLUMN extra text",
                "ALTER TABLE conversation_events ALTER COLUMN processed_at TYPE timestamp",
                "ALTER TABLE conversation_events ALTER COLUMN bot_type TYPE varchar(60)",
                "ALTER TABLE friendship_status ALTER COLUMN last_interaction_date TYPE timestamp",
            ]
            for (round, change) in changes.enumerated() {
                try scene.publish(ids: (0..<40).map { "c\(round * 40 + $0)" })
                try eventually("work has begun") {
                    try scene.count("status = 'PROCESSED'") > round * 40
                }
                try scene.sql(change)
            }
            try scene.publish(ids: "c0")
            try scene.expectEachToCountOnce(160, by: worker, within: resumption)
            #expect(
                try Servers.postgresLogCount("cached plan must not change result type") > outdated
            )
        }

        /// Fault: something between worker and server accepts everything and passes on nothing, so
        /// that no limit of TCP's and none of the server's applies. The thread waits for ever. And
        /// if it was at COMMIT, a worker that guesses what became of it loses the effect or counts
        /// it twice.
        @Test(arguments: [
            ("read_and_lock", Proxy.Direction.toClient), ("commit", .toServer),
            ("commit", .toClient), ("read_conversations", .toClient),
            ("update_conversation", .toServer), ("update_conversation", .toClient),
        ])
        func aLinkThatFallsSilentIsGivenUpAndTheRowDecides(
            statement: String,
            lost: Proxy.Direction
        ) throws {
            let scene = try Scene(settings: ["TASK_TIMEOUT_SECONDS": "1"])
            let proxy = try Proxy(to: Servers.workersDatabasePort())
            let worker = try scene.startWorker(
                ["MESSAGE_CONCURRENCY_PER_WORKER": "1"],
                through: proxy
            )
            try scene.addConversations(5)
            if statement.hasSuffix("_conversation") {
                try scene.sql(
                    """
                    INSERT INTO friendship_status (user_id)
                    SELECT DISTINCT user_id FROM conversation_events
                    """
                )
            }
            if ["read_and_lock", "commit"].contains(statement) {
                // An agent that was not seen before: so it is not scored alone.
                try scene.sql(
                    "UPDATE conversation_events SET agent_tag = 'a' WHERE conversation_id = 'c0'"
                )
            }
            try eventually("it is ready") { !worker.events("worker.ready").isEmpty }
            // A Bind message: an unnamed portal, and the prepared statement's name.
            proxy.lose(lost, onceAClientSends: Array("\0\(statement)\0".utf8))
            try scene.publish(ids: "c0")
            try eventually("it is lost") { proxy.lost > 0 }
            if !statement.hasPrefix("read") && lost == .toClient {
                try eventually("it is committed") { try scene.count("status = 'PROCESSED'") == 1 }
            }
            try scene.publish(ids: "c1", "c2", "c3", "c4")
            // The server may see first that a transaction does not go on.
            try eventually("the worker says so", within: .seconds(1 + 5 + 5)) {
                worker.outages == 1 || worker.events("conversation.slow").count == 1
            }
            try scene.expectEachToCountOnce(5, by: worker, within: resumption)
        }
    }
}

extension Integration.DatabaseFaults {
    /// Fault: a worker that closes its sessions to a database that does not answer never exits, and
    /// its supervisor kills it.
    @Test func aDrainDoesNotWaitForADatabaseThatHasFallenSilent() throws {
        let scene = try Scene(settings: ["DRAIN_TIMEOUT_SECONDS": "2"])
        let proxy = try Proxy(to: Servers.workersDatabasePort())
        let worker = try scene.startWorker(through: proxy)
        try eventually("it is ready") { !worker.events("worker.ready").isEmpty }
        proxy.stall([.toServer, .toClient])
        try scene.addConversations(3)
        try scene.publish(ids: "c0", "c1", "c2")
        try eventually("something is held back") { proxy.held > 0 }
        worker.signal(SIGTERM)
        let begin = ContinuousClock.now
        #expect(try worker.waitForExit() == 0)
        #expect(begin.duration(to: .now) < .seconds(15))
        proxy.endFaults()
        try eventually("they are back in the queue") { try scene.queue.ready() == 3 }
    }
}

extension Scene {
    /// Changes the role that the workers of this test log in as; for sessions to come.
    func alterRole(_ change: String) throws { try sql("ALTER ROLE \(name) \(change)") }

    /// Ends the sessions of this test's workers.
    ///
    /// - Returns: how many.
    func killSessions() throws -> Int {
        try sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1",
            .text(name)
        ).count
    }
}

extension RunningWorker {
    /// How often it has found the database away.
    fileprivate var outages: Int { events("database.unavailable").count }
}

/// A tablespace on a file system of one megabyte, with the events of one test on it.
private struct SmallDisk {
    let scene: Scene
    var path: String { "/tmp/amity-\(scene.name)" }

    init(for scene: Scene) throws {
        self.scene = scene
        try run("mkdir \(path) && mount -t tmpfs -o size=1m tmpfs \(path)")
        try run("chown postgres: \(path)")
        try scene.sql("CREATE TABLESPACE \(scene.name) LOCATION '\(path)'")
        try scene.sql("ALTER TABLE conversation_events SET TABLESPACE \(scene.name)")
    }

    func fill() throws { try run("! cat /dev/zero >\(path)/filler 2>/dev/null") }

    func clear() throws { try run("rm \(path)/filler") }

    func remove() {
        do {
            try scene.sql("ALTER TABLE conversation_events SET TABLESPACE pg_default")
            try scene.sql("DROP TABLESPACE \(scene.name)")
            // Lazily: a server process may not have closed its file yet.
            try run("umount -l \(path) && rmdir \(path)")
        } catch {
            Issue.record(error, "a small disk is left behind")
        }
    }

    private func run(_ script: String) throws {
        let done = try Command.run(URL(fileURLWithPath: "/bin/sh"), ["-c", script])
        try #require(done.status == 0, "\(script): \(done.error)")
    }
}
