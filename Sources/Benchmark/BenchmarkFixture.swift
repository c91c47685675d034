import AMQP
import ConversationPublishing
import Foundation
import Logging
import Postgres
import SampleConversations
import Settings
import Storage
import Tasks

/// A schema and a queue of the benchmark's own, filled anew before every run with the same
/// conversations, so that every run finds the same work.
final class BenchmarkFixture {
    let settings: WorkerSettings
    let workload: Workload
    private var conversations: [Conversation] = []
    private let name: String
    private let servers: Servers
    var session: Session

    private struct Conversation: Sendable {
        var id: String
        var user: String
    }

    /// - Parameters:
    ///   - count: how many conversations there are at most in a run.
    ///   - users: over how many they are spread.
    init(
        on servers: Servers,
        conversations count: Int,
        users: Int,
        workload: Workload
    ) throws {
        let name = "amity_bench_" + UUID().uuidString.prefix(8).lowercased()
        let variables = Self.variables(servers, name)
        settings = try WorkerSettings(SettingValues { variables[$0] })
        session = try Self.connect(to: settings.database)
        self.name = name
        self.workload = workload
        self.servers = servers
        do {
            _ = try session.flight([(Statement("create", "CREATE SCHEMA \(name)"), [])])
            _ = try Migrator(target: settings.database, version: amityVersion).run()
            try Self.makeUp(count, users: users, workload: workload, in: settings.database)
            let kept = try session.flight([
                (Self.keep, []), (Self.indexKept, []), (Self.listKept, []),
            ])
            conversations = try kept[2].map { row throws(PostgresError) in
                Conversation(id: try row.text() ?? "", user: try row.text() ?? "")
            }
            for index in workload.indexes { _ = try session.flight([(index, [])]) }
        } catch {
            cleaningUp { try tearDown() }
            throw error
        }
    }

    /// As patient as large tables need it: also while a vacuum that began by itself is in the way.
    private static func connect(to database: ConnectionTarget) throws -> Session {
        var session = try Session(
            to: database,
            applicationName: "amity bench",
            statementTimeout: .seconds(600)
        )
        _ = try session.flight([(Statement("be_patient", "SET lock_timeout = '60s'"), [])])
        return session
    }

    /// Twenty items each, ten exchanges of one question and one answer.
    private static func makeUp(
        _ count: Int,
        users: Int,
        workload: Workload,
        in database: ConnectionTarget
    ) throws {
        var generator = ConversationGenerator(
            seed: 1,
            userCount: users,
            exchanges: 10,
            hasAgents: workload.hasAgents
        )
        try generator.insert(count, into: database) { _ in try Interruption.check() }
    }

    /// What a user would set for a worker.
    var variables: [String: String] { Self.variables(servers, name) }

    private static func variables(_ servers: Servers, _ name: String) -> [String: String] {
        let mark = servers.databaseURL.contains("?") ? "&" : "?"
        return [
            "RABBITMQ_URL": servers.rabbitmqURL,
            "RABBITMQ_QUEUE_NAME": name,
            "RABBITMQ_EXCHANGE_NAME": "\(name)_exchange",
            "DATABASE_URL": "\(servers.databaseURL)\(mark)options=-csearch_path%3D\(name)",
            // The references analyse nothing either.
            "LLM_ANALYSIS_ENABLED": "false",
            // What they cost is measured with both.
            "EVENTS": ProcessInfo.processInfo.environment["EVENTS"] ?? "off",
            "LOG_LEVEL": "notice",
            "LOG_FORMAT": "json",
        ]
    }

    /// Of tasks that are measured: no other worker takes it.
    var taskPool: String { name.replacing("_", with: "-") }

    /// Leaves nothing behind.
    func tearDown() throws {
        let drop = Statement("drop", "DROP SCHEMA IF EXISTS \(name) CASCADE")
        session = try Self.connect(to: settings.database)
        _ = try session.flight([(drop, [])])
        try settings.topology.delete(
            andQueuesNamed: TaskQueue.all(of: taskPool).map(\.name),
            at: settings.endpoint
        )
    }

    // MARK: Before a run

    /// Makes the first `count` conversations unscored again, with an empty queue.
    func reset(to count: Int) throws {
        try settings.topology.delete(at: settings.endpoint)
        try settings.topology.ensure(at: settings.endpoint, logger: quietLogger)
        _ = try session.flight([
            (Self.empty, []), (Self.refill, [.integer(count)]),
        ])
        if workload.usersAreKnown { _ = try session.flight([(Self.makeUsersKnown, [])]) }
        // Not left to chance: it would begin on its own in the middle of a run.
        _ = try session.flight([(Self.vacuum, [])])
    }

    /// Lays out batches with all that the worker's statements are given, in the table `batches`.
    func layOutBatches(of size: Int) throws {
        _ = try session.flight([
            (Self.dropBatches, []), (Self.layOut, [.integer(size)]), (Self.indexBatches, []),
        ])
    }

    /// Puts the first `count` conversations on the queue, and lets the broker come to rest: what it
    /// puts off while it takes messages in is no part of what comes after.
    func publish(_ count: Int) throws {
        try publishing { publisher in
            for conversation in conversations.prefix(count) {
                try Interruption.check()
                if !publisher.publish(conversation.id, of: conversation.user) { break }
            }
        }
        try Interruption.sleep(for: .seconds(1))
    }

    /// The same at an even pace.
    ///
    /// - Returns: when each was published.
    func publish(_ count: Int, perSecond rate: Double) throws -> [String: Date] {
        let begin = ContinuousClock.now
        var times: [String: Date] = [:]
        try publishing { publisher in
            for (number, conversation) in conversations.prefix(count).enumerated() {
                let due = begin + .seconds(Double(number) / rate)
                let pause = ContinuousClock.now.duration(to: due)
                if pause > .zero { try Interruption.sleep(for: pause) }
                times[conversation.id] = Date()
                if !publisher.publish(conversation.id, of: conversation.user) { break }
            }
        }
        return times
    }

    private func publishing(_ body: (ConversationPublisher) throws -> Void) throws {
        let publisher = ConversationPublisher(
            publisher: Publisher(
                endpoint: settings.endpoint,
                topology: settings.topology,
                insists: false,
                logger: quietLogger
            ),
            exchange: "",
            routingKey: settings.topology.names.main,
            patience: .seconds(60)
        )
        let handedOver = Result { try body(publisher) }
        let missing = publisher.finish()
        try handedOver.get()
        if !missing.isEmpty { throw BenchmarkError.notConfirmed(missing.count) }
    }

    // MARK: After a run

    /// Whether every conversation is scored. Cheap enough to be asked all the time: the index that
    /// it uses holds only what is not.
    func isDone() throws -> Bool {
        try session.flight([(Self.anyLeft, [])])[0].count == 0
    }

    func processed() throws -> Int {
        try session.flight([(Self.processed, [])])[0].first { try $0.integer() } ?? 0
    }

    /// Between the begin of the first transaction and of the last.
    func secondsBetweenCommits() throws -> Double? {
        try session.flight([(Self.betweenCommits, [])])[0].first { try $0.double() }
    }

    /// When the database committed each conversation; nil where it does not keep book
    /// (track_commit_timestamp), as private servers do.
    func commits() throws -> [String: Date]? {
        let keeps = try session.flight([(Self.keepsCommitTimes, [])])[0].first { try $0.text() }
        if keeps != "on" { return nil }
        let rows = try session.flight([(Self.commitTimes, [])])[0]
        var times: [String: Date] = [:]
        for (id, seconds) in try rows.map(Self.commitTime) {
            times[id] = seconds.map(Date.init(timeIntervalSince1970:))
        }
        return times
    }
}

// MARK: - Statements

extension BenchmarkFixture {
    private static let columns = """
        conversation_id, user_id, bot_type, bot_id, bot_name, agent_tag, start_time, end_time,
        conversation_log, raw_conversation_log
        """
    private static let keep = Statement(
        "keep",
        "CREATE TABLE kept AS SELECT id AS number, \(columns) FROM conversation_events"
    )
    private static let listKept = Statement(
        "list_kept",
        "SELECT conversation_id, user_id FROM kept ORDER BY number"
    )
    private static let indexKept = Statement("index_kept", "CREATE INDEX ON kept (number)")
    private static let empty = Statement(
        "empty",
        "TRUNCATE conversation_events, friendship_status RESTART IDENTITY"
    )
    /// Ids are 1 to $1 again, in order. The logs are written as if they had just come: compressed
    /// ones that are copied from row to row would stay in the row.
    private static let refill = Statement(
        "refill",
        """
        INSERT INTO conversation_events (\(columns))
        SELECT \(columns.replacing("conversation_log", with: "conversation_log::text::jsonb"))
        FROM kept WHERE number <= $1::int ORDER BY number
        """
    )
    /// Most conversations are with a child that has talked before.
    private static let makeUsersKnown = Statement(
        "make_users_known",
        "INSERT INTO friendship_status (user_id) SELECT DISTINCT user_id FROM conversation_events"
    )
    private static let dropBatches = Statement("drop_batches", "DROP TABLE IF EXISTS batches")
    /// Ids of events are the numbers of conversations.
    private static let layOut = Statement(
        "lay_out",
        """
        CREATE TABLE batches AS
        SELECT number, array_agg(conversation_id)::text AS ids,
            array_agg(id)::text AS events, array_fill(10.0, ARRAY[count(*)::int])::text AS changes,
            array_fill('PHASE1_STRANGER'::text, ARRAY[count(*)::int])::text AS levels,
            array_fill('{"total_turns": 10, "session_emotion": "neutral",
                "user_initiated_questions": 0, "new_memories_count": 0, "total_exchange_score": 10,
                "score_before": 0}'::text, ARRAY[count(*)::int])::text AS details,
            array_agg(user_id)::text AS owners, array_agg(DISTINCT user_id)::text AS users,
            array_fill(10.0, ARRAY[count(DISTINCT user_id)::int])::text AS scores,
            array_fill('PHASE1_STRANGER'::text, ARRAY[count(DISTINCT user_id)::int])::text
                AS user_levels,
            coalesce(array_agg(DISTINCT agent_tag) FILTER (WHERE agent_tag IS NOT NULL), '{}')::text
                AS agents,
            coalesce(array_agg(DISTINCT 'topic-' || substr(agent_tag, 7))
                FILTER (WHERE agent_tag IS NOT NULL), '{}')::text AS candidates,
            array_fill('{"score": 10, "turns": 10, "friendship_level": "PHASE1_STRANGER"}'::text,
                ARRAY[count(DISTINCT user_id)::int])::text AS members,
            array_fill('robot'::text, ARRAY[count(DISTINCT user_id)::int])::text AS robots,
            (SELECT array_agg(topic ORDER BY user_id) FROM (
                SELECT user_id, min('topic-' || substr(agent_tag, 7)) AS topic
                FROM conversation_events AS member
                WHERE (member.id - 1) / $1::int = number
                GROUP BY user_id) AS moved)::text AS topics
        FROM (SELECT *, (id - 1) / $1::int AS number FROM conversation_events) AS event
        GROUP BY number
        """
    )
    private static let indexBatches = Statement(
        "index_batches",
        "CREATE INDEX ON batches (number)"
    )
    private static let vacuum = Statement(
        "vacuum",
        "VACUUM (ANALYZE) conversation_events, friendship_status"
    )
    private static let anyLeft = Statement(
        "any_left",
        """
        SELECT 1 FROM conversation_events
        WHERE status IN ('PENDING', 'PROCESSING', 'FAILED') LIMIT 1
        """
    )
    private static let processed = Statement(
        "processed",
        "SELECT count(*) FROM conversation_events WHERE status = 'PROCESSED'"
    )
    private static let betweenCommits = Statement(
        "between_commits",
        "SELECT extract(epoch FROM max(processed_at) - min(processed_at)) FROM conversation_events"
    )
    private static let keepsCommitTimes = Statement(
        "keeps_commit_times",
        "SELECT current_setting('track_commit_timestamp')"
    )
    private static let commitTimes = Statement(
        "commit_times",
        """
        SELECT conversation_id, extract(epoch FROM pg_xact_commit_timestamp(xmin))
        FROM conversation_events WHERE status = 'PROCESSED'
        """
    )

    private static func commitTime(
        _ row: inout RowReader
    ) throws(PostgresError) -> (id: String, seconds: Double?) {
        (try row.text() ?? "", try row.double())
    }
}

/// Connections come and go here by the dozen, and what matters is thrown.
let quietLogger = Logger(label: "amity", factory: { _ in SwiftLogNoOpLogHandler() })
