import AMQP
import Foundation
import Messaging
import Postgres
import TestSupport
import Testing

@testable import Settings
@testable import Storage

/// What one test has to itself: a queue, a schema, and a role that may do only what a worker's may.
final class Scene {
    enum Tables: CaseIterable, Sendable {
        /// As `amity migrate` makes them.
        case fresh
        /// As an older Python service made them, untouched by `amity migrate`: events with naive
        /// timestamps, friendships with timestamptz.
        case python
        /// The same with naive timestamps throughout.
        case pythonNaive
        /// The same with timestamptz throughout.
        case pythonZoned
    }

    let name: String
    let settings: WorkerSettings
    let variables: [String: String]
    /// May do everything in the test's schema.
    let owner: ConnectionTarget
    private var session: Session
    private var statements = 0

    /// Of tests that name none; `deploy/dev/matrix` has some of them run on quorum queues, too.
    private static let queueType =
        ProcessInfo.processInfo.environment["AMITY_TEST_QUEUE_TYPE"] ?? "classic"

    init(_ tables: Tables = .fresh, settings extra: [String: String] = [:]) throws {
        let name = "test_" + UUID().uuidString.prefix(8).lowercased()
        let ownerURL = try #require(Servers.environment["DATABASE_URL"])
        try Servers.psql(["-c", "CREATE SCHEMA \(name)", "-c", "CREATE ROLE \(name) LOGIN"])
        let owner = try #require(ConnectionTarget(url: ownerURL)).searching(name)
        switch tables {
        case .fresh: _ = try Migrator(target: owner, version: amityVersion).run()
        case .python: try Self.makePythonTables(in: name) { $0 }
        case .pythonNaive:
            try Self.makePythonTables(in: name) { $0.replacing("timestamptz", with: "timestamp") }
        case .pythonZoned:
            try Self.makePythonTables(in: name) {
                $0.replacing(/\btimestamp\b/, with: "timestamptz")
            }
        }
        try Servers.psql(
            [
                "-c", "GRANT USAGE ON SCHEMA \(name) TO \(name)", "-v", "role=\(name)",
                "-f", Servers.root.appending(path: "deploy/grants.sql").path,
            ],
            searchPath: name
        )
        if Servers.arePooled {
            try Self.setSessionSettings(of: name, taskSeconds: extra["TASK_TIMEOUT_SECONDS"])
        }
        let address = try Servers.workersDatabaseAddress()
        let database = "/" + (ownerURL.split(separator: "/").last ?? "")
        variables = [
            "RABBITMQ_URL": try #require(Servers.environment["RABBITMQ_URL"]),
            "RABBITMQ_QUEUE_NAME": name,
            "RABBITMQ_EXCHANGE_NAME": "\(name)_exchange",
            "RABBITMQ_QUEUE_TYPE": Self.queueType,
            "DATABASE_URL": "postgresql://\(name)@\(address)\(database)"
                + "?options=-csearch_path%3D\(name)",
            "RETRY_BACKOFF_SECONDS": "1",
            // Sums are held against counts of turns.
            "LLM_ANALYSIS_ENABLED": "false",
            "LOG_LEVEL": "trace",
            // Many run at once; those that are asked something get a port of their own.
            "HTTP_PORT": "0",
        ].merging(extra) { _, new in new }
        let variables = variables
        settings = try WorkerSettings(SettingValues { variables[$0] })
        session = try Session(to: owner, applicationName: "test")
        self.owner = owner
        self.name = name
    }

    deinit {
        do {
            // A test that failed may have left its own transaction open, with locks.
            try reconnect()
            try Servers.drop(schemaAndRole: name)
        } catch {
            Issue.record(error, "the schema of a test could not be dropped")
        }
    }

    /// What PgBouncer drops of a session's start, as the article on high availability has it.
    private static func setSessionSettings(of role: String, taskSeconds: String?) throws {
        let milliseconds = (taskSeconds.flatMap { Int($0) } ?? 30) * 1000
        let settings = [
            "search_path = \(role)", "lock_timeout = \(min(1000, milliseconds / 2))",
            "statement_timeout = \(milliseconds)",
            "idle_in_transaction_session_timeout = '2s'", "plan_cache_mode = force_generic_plan",
            "enable_seqscan = off", "jit = off",
        ]
        try Servers.psql(settings.flatMap { ["-c", "ALTER ROLE \(role) SET \($0)"] })
    }

    private static func makePythonTables(
        in schema: String,
        _ adapted: (String) -> String
    ) throws {
        let url = try #require(
            Bundle.module.url(forResource: "schemas/python", withExtension: "sql")
        )
        let file = try TemporaryFile(adapted(try String(contentsOf: url, encoding: .utf8)))
        try Servers.psql(["-f", file.path], searchPath: schema)
        withExtendedLifetime(file) {}
    }

    // MARK: Database

    /// Runs one statement as the owner of the tables, on a connection kept for the test.
    @discardableResult
    func sql(_ text: String, _ parameters: Parameter...) throws -> Rows {
        statements += 1
        return try session.flight([(Statement("test_\(statements)", text), parameters)])[0]
    }

    /// Begins a new session, with none of the old one's locks: that one may have died with its
    /// server.
    func reconnect() throws {
        session = try Session(to: owner, applicationName: "test")
    }

    func count(_ condition: String) throws -> Int {
        try sql("SELECT count(*) FROM conversation_events WHERE \(condition)").integer(0, 0) ?? -1
    }

    /// Runs a statement in a transaction that stays open, and so keeps its locks, until COMMIT.
    func lock(_ statement: String) throws {
        try sql("BEGIN")
        try sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        try sql(statement)
    }

    /// From now on every transaction that scores waits at the server, its COMMIT already sent,
    /// until `release`: so the test decides what happens between a commit and its ack.
    func holdCommits() throws {
        try sql(
            """
            CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS $$
            BEGIN
                PERFORM pg_advisory_xact_lock_shared(hashtext(current_schema));
                RETURN NEW;
            END $$
            """
        )
        try sql(
            """
            CREATE TRIGGER wait BEFORE UPDATE ON conversation_events
            FOR EACH ROW EXECUTE FUNCTION wait()
            """
        )
        try holdAgain()
    }

    /// The same once more, after `release`.
    func holdAgain() throws { try sql("SELECT pg_advisory_lock(hashtext(current_schema))") }

    func release() throws { try sql("SELECT pg_advisory_unlock(hashtext(current_schema))") }

    /// Whether a worker of this test waits for a lock.
    func isWorkerWaiting() throws -> Bool { try waiting() > 0 }

    /// Whether a commit waits for `release`.
    func isCommitWaiting() throws -> Bool {
        try sql(
            """
            SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid)
            WHERE NOT granted AND usename = $1 AND locktype = 'advisory'
            """,
            .text(name)
        ).count > 0
    }

    /// How many sessions of workers of this test wait for a lock.
    func waiting() throws -> Int {
        // In a transaction of the scene it would show the sessions that there were at first.
        try sql("SELECT pg_stat_clear_snapshot()")
        return try sql(
            """
            SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid)
            WHERE NOT granted AND usename = $1
            """,
            .text(name)
        ).count
    }

    func addConversation(
        _ id: String,
        user: String = "user",
        log: String = Scene.oneTurn,
        agent: String? = nil,
        status: String = "PENDING"
    ) throws {
        try sql(
            """
            INSERT INTO conversation_events (conversation_id, user_id, bot_type, bot_id, bot_name,
                agent_tag, start_time, end_time, conversation_log, status)
            VALUES ($1, $2, 'TALK', 'bot-1', 'Pika', $3, '2026-01-01T10:00:00Z',
                '2026-01-01T10:20:00Z', $4::jsonb, $5)
            """,
            .text(id),
            .text(user),
            agent.map(Parameter.text) ?? .null,
            .text(log),
            .text(status)
        )
    }

    /// Conversations c0, c1, … of one turn each, of four users in turn, in one transaction.
    func addConversations(_ count: Int) throws {
        try sql(
            """
            INSERT INTO conversation_events (conversation_id, user_id, bot_type, bot_id, bot_name,
                start_time, end_time, conversation_log, status)
            SELECT 'c' || number, 'user-' || number % 4, 'TALK', 'bot-1', 'Pika',
                '2026-01-01T10:00:00Z', '2026-01-01T10:20:00Z', $2::jsonb, 'PENDING'
            FROM generate_series(0, $1::int - 1) AS number
            """,
            .text(String(count)),
            .text(Scene.oneTurn)
        )
    }

    static let oneTurn = #"[{"speaker":"pika","turn_id":1,"text":"Hi"},{"speaker":"user"}]"#

    func score(of user: String = "user") throws -> Double? {
        let rows = try sql(
            "SELECT friendship_score FROM friendship_status WHERE user_id = $1",
            .text(user)
        )
        return rows.count == 0 ? nil : rows.double(0, 0)
    }

    /// Waits until as many conversations of one turn are done as there are, then looks for any that
    /// was lost, counted twice, or blamed for a fault that was not its own.
    ///
    /// - Parameter limit: until the last is done.
    func expectEachToCountOnce(
        _ count: Int,
        by workers: RunningWorker...,
        within limit: Duration = .seconds(30),
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        try eventually("all are processed", within: limit, sourceLocation: sourceLocation) {
            try self.count("status = 'PROCESSED'") == count
        }
        try eventually("every delivery is settled", sourceLocation: sourceLocation) {
            try queue.isDrained()
        }
        let sum = try sql("SELECT sum(friendship_score)::bigint FROM friendship_status")
        #expect(sum.integer(0, 0) == count, sourceLocation: sourceLocation)
        #expect(try self.count("attempt_count = 1") == count, sourceLocation: sourceLocation)
        #expect(try deadLetters.ready() == 0, sourceLocation: sourceLocation)
        for worker in workers {
            #expect(worker.isRunning, sourceLocation: sourceLocation)
            for event in ["message.retry-scheduled", "message.dead-lettered"] {
                #expect(worker.events(event).isEmpty, sourceLocation: sourceLocation)
            }
        }
    }

    // MARK: Programs

    /// Runs a command to its end.
    ///
    /// - Parameter extra: settings that win over the scene's own.
    func amity(
        _ arguments: [String],
        _ extra: [String: String] = [:],
        input: String = ""
    ) throws -> Command.Result {
        let environment = variables.merging(extra) { _, new in new }
        return try Command.run(Command.amity, arguments, environment: environment, input: input)
    }

    /// The same for a process that may open so many files.
    func amity(
        _ arguments: [String],
        _ extra: [String: String],
        openFiles: Int
    ) throws -> Command.Result {
        try Command.run(
            URL(fileURLWithPath: "/usr/bin/env"),
            ["bash", "-c", "ulimit -n \(openFiles) && exec \"$@\"", "amity", Command.amity.path]
                + arguments,
            environment: variables.merging(extra) { _, new in new }
        )
    }

    /// For commands of the owner's.
    func asOwner() throws -> [String: String] {
        let url = try #require(Servers.environment["DATABASE_URL"])
        return ["DATABASE_URL": "\(url)?options=-csearch_path%3D\(name)"]
    }

    /// Starts the daemon as a process of its own; it is gone with the test at the latest.
    ///
    /// - Parameter proxies: stand between it and the servers whose ports they have.
    func startWorker(
        _ extra: [String: String] = [:],
        through proxies: Proxy...,
        below launcher: [String] = [],
        log: FileHandle? = nil
    ) throws -> RunningWorker {
        var environment = variables.merging(extra) { _, new in new }
        for name in ["RABBITMQ_URL", "DATABASE_URL"] {
            for proxy in proxies { environment[name] = environment[name].map(proxy.rerouted) }
        }
        return try RunningWorker(
            environment: environment,
            through: proxies,
            below: launcher,
            log: log
        )
    }

    // MARK: Broker

    /// Publishes bodies as they are and waits for the broker's confirms.
    func publish(_ bodies: [[UInt8]], _ properties: MessageProperties = .init()) throws {
        try publish(bodies, properties, to: name)
    }

    /// Puts a dead letter into the dead-letter queue.
    func bury(_ body: [UInt8], _ properties: MessageProperties) throws {
        try publish([body], properties, to: deadLetters.name)
    }

    private func publish(
        _ bodies: [[UInt8]],
        _ properties: MessageProperties,
        to queue: String
    ) throws {
        try settings.topology.ensure(at: settings.endpoint, logger: quiet)
        let publisher = Publisher(
            endpoint: settings.endpoint,
            topology: settings.topology,
            insists: false,
            logger: quiet
        )
        publisher.start()
        defer { publisher.stop() }
        let answered = DispatchSemaphore(value: 0)
        for body in bodies {
            publisher.publish(Message(properties: properties, body: body), routingKey: queue) {
                #expect($0 == .confirmed)
                answered.signal()
            }
        }
        for _ in bodies { try #require(answered.wait(timeout: .now() + 30) == .success) }
    }

    func publish(ids: String...) throws { try publish(ids: ids) }

    func publish(ids: [String]) throws {
        try publish(ids.map { Array(#"{"conversation_id":"\#($0)"}"#.utf8) })
    }

    /// Whether nothing is under way: the queue and its delay queues are empty. Looked at twice, for
    /// what moves from one to the other in between.
    func isQuiet() throws -> Bool {
        try (0..<2).allSatisfy { _ in
            try TestQueue.counts().allSatisfy { queue, messages in
                messages == 0 || queue != name && !queue.hasPrefix("\(name).retry.")
            }
        }
    }

    /// A legal message with a member that no worker reads.
    static func body(_ id: String, ignoring count: Int) -> [UInt8] {
        Array(#"{"ignored":""#.utf8) + [UInt8](repeating: UInt8(ascii: "x"), count: count)
            + Array(#"","conversation_id":"\#(id)"}"#.utf8)
    }

    var queue: TestQueue { TestQueue(name: name, endpoint: settings.endpoint) }
    var deadLetters: TestQueue { TestQueue(name: "\(name).dead", endpoint: settings.endpoint) }
}

extension ConnectionTarget {
    fileprivate func searching(_ schema: String) -> ConnectionTarget {
        var keywords = keywords
        // A test's own statement may have to wait for the workers' locks.
        keywords["options"] = "-csearch_path=\(schema) -clock_timeout=30s"
        return ConnectionTarget(keywords: keywords)
    }
}
