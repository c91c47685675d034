import AMQP
import Conversations
import Foundation
import Postgres
import QueueAccess

/// What the database and the broker can do without us: the measure of all the rest.
enum Reference: CaseIterable, Sendable {
    /// pgbench, one transaction of five statements for each conversation.
    case single
    /// pgbench, one transaction for many conversations.
    case batched
    /// Messages taken and acked, and nothing else.
    case consume

    var name: String {
        switch self {
        case .single: "pgbench, one transaction each, 10 clients"
        case .batched: "pgbench, batches of 200, 2 clients"
        case .consume: "consume and ack only"
        }
    }

    /// - Returns: nothing measured where pgbench is missing.
    func run(
        on fixture: BenchmarkFixture,
        conversations count: Int,
        in folder: URL
    ) throws -> Sample {
        try fixture.reset(to: count)
        let rate: Double?
        switch self {
        case .single:
            rate = try Pgbench(clients: 10, batch: 1).run(
                on: fixture,
                conversations: count,
                in: folder
            )
        case .batched:
            // Whole batches for each of the two, where there are few conversations.
            let batch = min(200, max(1, count / 2))
            try fixture.layOutBatches(of: batch)
            rate = try Pgbench(clients: 2, batch: batch)
                .run(on: fixture, conversations: count, in: folder)
        case .consume:
            try fixture.publish(count)
            rate = try consume(from: fixture, count)
        }
        return rate.map { [.conversationsPerSecond: $0] } ?? [:]
    }

    /// Acks as the worker does under backlog: many with one frame.
    private func consume(from fixture: BenchmarkFixture, _ count: Int) throws -> Double {
        let settings = fixture.settings
        let begin = ContinuousClock.now
        var browser = try QueueBrowser(
            queue: settings.topology.names.main,
            at: settings.endpoint.named("amity bench")
        )
        var taken = 0
        while let entry = try browser.next(within: .seconds(10)) {
            taken += 1
            if taken % 100 == 0 || taken == count { try browser.remove(upTo: entry) }
        }
        let seconds = begin.duration(to: .now) / .seconds(1)
        try browser.close()
        return Double(taken) / seconds
    }
}

/// PostgreSQL's own benchmark, with the statements that scoring cannot do without: prepared, on
/// sessions set as the worker's are, reading the logs, committed durably.
struct Pgbench {
    let clients: Int
    let batch: Int

    /// Debian keeps it with the server of its version, off the PATH.
    static let program: URL? = {
        let versions = (9...99).reversed().map { "/usr/lib/postgresql/\($0)/bin" }
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return (versions + path.split(separator: ":").map(String.init)).map { "\($0)/pgbench" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
            .map { URL(fileURLWithPath: $0) }
    }()

    /// - Returns: conversations per second; nil without pgbench.
    func run(
        on fixture: BenchmarkFixture,
        conversations count: Int,
        in folder: URL
    ) throws -> Double? {
        guard let program = Self.program else { return nil }
        let script = folder.appending(path: "pgbench-\(batch).sql")
        let movesTopics = fixture.workload.hasAgents
        try Data(Self.script(batch, movesTopics: movesTopics).utf8).write(to: script)
        let transactions = max(1, count / (clients * batch))
        let output = try ChildProcess.run(
            program,
            [
                "--no-vacuum", "--protocol=prepared", "--client=\(clients)", "--jobs=1",
                "--transactions=\(transactions)", "--file=\(script.path)",
                "--define=clients=\(clients)", "--define=turn=0", "--define=logs=speakers",
            ],
            environment: Self.environment(fixture.settings.database),
            in: folder
        )
        // A transaction that finds nothing to do is quick.
        let (done, expected) = (try fixture.processed(), transactions * clients * batch)
        guard done == expected else {
            throw BenchmarkError.notFinished(processed: done, of: expected, log: output)
        }
        return Self.transactionsPerSecond(output).map { $0 * Double(batch) }
    }

    static func transactionsPerSecond(_ output: String) -> Double? {
        output.firstMatch(of: /tps = ([0-9.]+)/).flatMap { Double($0.1) }
    }

    /// Not on the command line, where every user of the machine could read the password.
    private static func environment(_ target: ConnectionTarget) -> [String: String] {
        let names = [
            "host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD",
            "dbname": "PGDATABASE", "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT",
        ]
        var environment: [String: String] = [:]
        for (keyword, name) in names { environment[name] = target.keywords[keyword] }
        environment["PGOPTIONS"] = """
            \(target.keywords["options"] ?? "") -c plan_cache_mode=force_generic_plan \
            -c enable_seqscan=off -c jit=off
            """
        return environment
    }

    private static func script(_ batch: Int, movesTopics: Bool) -> String {
        switch (batch, movesTopics) {
        case (1, false): single(setting: "")
        case (1, true): single(reading: Self.topic, setting: movedTopic)
        case (_, false): batched([lockUsers, readAndLock, updateUsers, updateEvents])
        case (_, true):
            batched([
                text(of: SQL.insertUsers, ["users"]), lockUsers,
                text(of: SQL.readAndLockWithTopics, ["ids", "logs", "candidates"]),
                text(of: SQL.readAgenda, ["agents"]),
                text(
                    of: SQL.updateUsersAndTopic,
                    ["users", "scores", "user_levels", "topics", "members", "robots"]
                ), updateEvents,
            ])
        }
    }

    private static let topic = """
        SELECT coalesce(min(topic_id), '') AS topic FROM agenda_agent_prompting
            WHERE agent_id = :agent_tag AND friendship_level = 'PHASE1_STRANGER' \\gset

        """
    private static let movedTopic = """
        topic_metrics = topic_metrics || jsonb_build_object(:topic::text,
            coalesce(topic_metrics -> :topic, '{}') || jsonb_build_object(
                'score', coalesce((topic_metrics -> :topic ->> 'score')::float8, 0) + 10,
                'turns', coalesce((topic_metrics -> :topic ->> 'turns')::int, 0) + 10,
                'friendship_level', 'PHASE1_STRANGER')),
        """

    private static func single(reading topic: String = "", setting moved: String) -> String {
        """
        \\set turn :turn + 1
        \\set id (:turn - 1) * :clients + :client_id + 1
        BEGIN;
        SELECT user_id, agent_tag, conversation_log FROM conversation_events
            WHERE id = :id AND status NOT IN ('PROCESSED', 'SKIPPED') FOR NO KEY UPDATE \\gset
        INSERT INTO friendship_status (user_id, friendship_score, friendship_level)
            VALUES (:user_id, 0, 'PHASE1_STRANGER') ON CONFLICT DO NOTHING;
        SELECT friendship_score, friendship_level FROM friendship_status
            WHERE user_id = :user_id FOR NO KEY UPDATE;
        \(topic)UPDATE friendship_status SET friendship_score = friendship_score + 10, \(moved)
            friendship_level = 'PHASE1_STRANGER', last_interaction_date = now(), updated_at = now()
            WHERE user_id = :user_id;
        UPDATE conversation_events SET status = 'PROCESSED', attempt_count = attempt_count + 1,
            friendship_score_change = 10, new_friendship_level = 'PHASE1_STRANGER',
            score_calculation_details = '{"turns": 10, "change": 10}', processed_at = now(),
            next_attempt_at = now(), error_code = NULL, error_details = NULL, updated_at = now()
            WHERE id = :id;
        COMMIT;

        """
    }

    /// The worker's own statements, of a batch that waits for locks, given what it would give them.
    private static func batched(_ statements: [String]) -> String {
        """
        \\set number :turn * :clients + :client_id
        \\set turn :turn + 1
        SELECT * FROM batches WHERE number = :number \\gset
        BEGIN;
        \(statements.joined(separator: "\n"))
        COMMIT;

        """
    }

    private static let lockUsers = text(of: SQL.lockUsers, ["ids"])
    private static let readAndLock = text(of: SQL.readAndLock, ["ids", "logs"])
    private static let updateUsers = text(
        of: SQL.updateUsers,
        ["users", "scores", "user_levels"]
    )
    private static let updateEvents = text(
        of: SQL.updateEvents,
        ["events", "changes", "levels", "owners", "details"]
    )

    /// On one line, with pgbench's variables for parameters.
    private static func text(of statement: Statement, _ variables: [String]) -> String {
        var text = statement.sql.replacing("\n", with: " ")
        for (index, variable) in variables.enumerated() {
            text = text.replacing("$\(index + 1)", with: ":\(variable)")
        }
        return text + ";"
    }
}
