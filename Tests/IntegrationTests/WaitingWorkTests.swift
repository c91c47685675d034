import AMQP
import Foundation
import FriendshipScoring
import Messaging
import Postgres
import TestSupport
import Testing
import WorkerHealth

@testable import Concurrency
@testable import Conversations
@testable import WorkerRuntime

/// Answers as late as a remote service would.
private struct SlowAnalyser: LocalAnalyser {
    let isImmediate = false
    let source = AnalysisSource.zeros
    let seconds: Double

    func analyse(_ conversation: FinishedConversation) -> Analysis {
        Thread.sleep(forTimeInterval: seconds)
        return .none
    }
}

private struct NoCrashes: CrashLedger {
    func take(_ keys: [MessageKey], in context: HandlerContext) -> [CrashRecord]? {
        keys.map { _ in .clear }
    }
    func release(in context: HandlerContext) {}
    func charge(_ key: MessageKey, crashes: Int, in context: HandlerContext) -> Bool { true }
    func acquit(_ key: MessageKey, crashes: Int, in context: HandlerContext) -> Bool { true }
}

/// Nothing here is to be retried.
private struct NoRetries: Republisher {
    func republish(
        _ message: Message,
        about subject: String?,
        to queue: String,
        replacing original: DeliveryID
    ) {
        Issue.record("a message went to \(queue)")
    }
}

/// A worker in this process, put together as the daemon is, with an analyser that waits.
private final class WaitingWorker {
    let consumer: Consumer
    let dispatcher: Dispatcher
    private let drain = DrainSignal()
    private let pool: ThreadPool
    private let stopped = DispatchSemaphore(value: 0)

    init(on scene: Scene, waiting seconds: Double) {
        let settings = scene.settings
        let readiness = Readiness(logger: quiet)
        let sessions = SessionPool(
            target: settings.database,
            limit: settings.databaseSessionsMax,
            applicationName: "amity",
            statementTimeout: settings.taskTimeout
        )
        let analyser = SlowAnalyser(seconds: seconds)
        let batchLimit = analyser.batchLimit(settings.batchMax)
        consumer = Consumer(
            settings: .init(
                endpoint: settings.endpoint,
                topology: settings.topology,
                prefetch: settings.prefetch(batchLimit: batchLimit),
                bodyLimit: settings.messageMaxBytes,
                stallTimeout: settings.stallTimeout,
                drainTimeout: settings.drainTimeout
            ),
            drain: drain,
            readiness: readiness,
            logger: quiet
        )
        let handler = ConversationHandler(
            store: ConversationStore(sessions: sessions),
            analyser: analyser,
            weights: settings.weights,
            batchLimit: settings.batchMax,
            taskTimeout: settings.taskTimeout,
            holdLimit: settings.holdLimit,
            outage: DatabaseOutage(
                consumption: consumer.consumption,
                readiness: readiness,
                logger: quiet
            ),
            logger: quiet
        )
        pool = ThreadPool(count: settings.concurrency, name: "waiting")
        let policy = RetryPolicy(
            names: settings.topology.names,
            maxAttempts: settings.maxAttempts,
            maxCrashes: settings.maxCrashes,
            backoffSeconds: settings.topology.retrySeconds,
            worker: "test"
        )
        dispatcher = Dispatcher(
            pool: pool,
            kinds: [WorkKind(type: nil, handler: handler, retryPolicy: policy)],
            unknown: policy,
            crashes: NoCrashes(),
            completions: consumer.completions,
            republisher: NoRetries(),
            drain: drain,
            logger: quiet
        )
        if settings.isConcurrencyAutomatic {
            AutomaticConcurrency(
                of: dispatcher,
                most: settings.concurrency,
                drain: drain,
                logger: quiet
            ).start()
        }
    }

    func start() { consumer.start(deliveringTo: dispatcher) { [stopped] in stopped.signal() } }

    func stop() {
        consumer.requestDrain()
        #expect(stopped.wait(timeout: .now() + 30) == .success)
        pool.close()
    }
}

extension Integration {
    /// Threads that wait for an analyser need no session and no batch: they wait side by side.
    struct WaitingWork {
        /// Fault: threads hold a session, a transaction or each other while they wait. Then 32
        /// work, or fewer, and the rest looks on. The waits of the last two are short to keep the
        /// tests so; one after the other they would take 1,000 s and 1,200 s.
        @Test(arguments: [
            ("480", 480, 5.0, 12.0), ("480", 1000, 1.0, 9.0), ("auto", 1200, 1.0, 30.0),
        ])
        func waitsSideBySideOnFewSessions(
            concurrency: String,
            conversations: Int,
            wait: Double,
            limit: Double
        ) throws {
            let scene = try Scene(settings: [
                "MESSAGE_CONCURRENCY_PER_WORKER": concurrency, "MESSAGE_CONCURRENCY_MAX": "480",
                "LOG_LEVEL": "error",
            ])
            try scene.addWaitingConversations(conversations)
            let memory = Self.residentMegabytes()
            let worker = WaitingWorker(on: scene, waiting: wait)
            try scene.publish(ids: (0..<conversations).map { "c\($0)" })
            var mostSessions = 0
            var mostMemory = 0
            let begin = ContinuousClock.now
            worker.start()
            try eventually("all are processed", within: .seconds(limit)) {
                mostSessions = max(mostSessions, try scene.workerSessions())
                mostMemory = max(mostMemory, Self.residentMegabytes())
                return try scene.count("status = 'PROCESSED'") == conversations
            }
            let seconds = begin.duration(to: .now) / .seconds(1)
            worker.stop()
            #expect(try scene.queue.isDrained())
            #expect(seconds >= wait)
            #expect(mostSessions <= 32)
            #expect(mostMemory - memory < 100)
            let sum = try scene.sql("SELECT sum(friendship_score)::bigint FROM friendship_status")
            #expect(sum.integer(0, 0) == conversations)
        }

        @Test func theDaemonFindsItsNumberOfThreads() throws {
            let scene = try Scene(settings: [
                "MESSAGE_CONCURRENCY_PER_WORKER": "auto", "BATCH_MAX": "1", "LOG_LEVEL": "debug",
            ])
            let count = 4000
            try scene.addWaitingConversations(count)
            let worker = try scene.startWorker()
            try worker.waitUntilConsuming()
            try scene.publish(ids: (0..<count).map { "c\($0)" })
            try scene.expectEachToCountOnce(count, by: worker)
            let first = try #require(worker.events("concurrency.changed").first)
            #expect(first["from"] as? Int == 4 && first["to"] as? Int == 16)
        }

        private static func residentMegabytes() -> Int {
            let fields = FileManager.default.contents(atPath: "/proc/self/statm")
                .map { String(decoding: $0, as: UTF8.self) }?.split(separator: " ")
            let pages = fields.flatMap { Int($0[1]) } ?? 0
            return pages * Int(getpagesize()) / (1 << 20)
        }
    }
}

extension Scene {
    /// Conversations c0, c1, … of one turn each, of a hundred users.
    fileprivate func addWaitingConversations(_ count: Int) throws {
        try sql(
            """
            INSERT INTO conversation_events (conversation_id, user_id, bot_type, bot_id, bot_name,
                start_time, end_time, conversation_log, status)
            SELECT 'c' || n, 'user-' || n % 100, 'TALK', 'bot-1', 'Pika', now(), now(), $1::jsonb,
                'PENDING'
            FROM generate_series(0, $2::int - 1) AS n
            """,
            .text(Scene.oneTurn),
            .integer(count)
        )
    }

    /// PostgreSQL sessions of workers of this test.
    fileprivate func workerSessions() throws -> Int {
        try sql("SELECT 1 FROM pg_stat_activity WHERE usename = $1", .text(name)).count
    }
}
