import Concurrency
import Foundation
import Postgres
import TestSupport
import Testing

@testable import Tasks

/// Some workers, an API, a producer of conversations that sends some twice, and a client that makes
/// tasks; and what must hold in the end.
final class TrialLoad {
    /// Of a statement.
    static let timeoutSeconds = 4
    /// The longest that a worker waits for an answer: of conversations 13 s, of tasks 15 s.
    static let deadline = Duration.seconds(15)

    private let tasks: TaskScene
    var scene: Scene { tasks.scene }
    private let pool = String(UUID().uuidString.lowercased().prefix(30))
    private(set) var workers: [RunningWorker] = []
    private let isQuiet: (Scene) throws -> Bool
    private var api: RunningWorker?
    private let producer: Producer
    private let client: TaskClient

    /// - Parameter isQuiet: whether no message is left in the scene's queues.
    init(
        seed: UInt64,
        workers count: Int = 2,
        settings: [String: String] = [:],
        isQuiet: @escaping (Scene) throws -> Bool = { try $0.isQuiet() }
    ) throws {
        self.isQuiet = isQuiet
        let preset = [
            "TASK_TIMEOUT_SECONDS": "\(Self.timeoutSeconds)", "SWEEP_AFTER_SECONDS": "10",
            "MESSAGE_CONCURRENCY_PER_WORKER": "4", "MAX_ATTEMPTS": "3", "LOG_LEVEL": "info",
        ]
        tasks = try TaskScene(settings: preset.merging(settings) { _, new in new })
        try Servers.psql(
            [
                "-v", "role=\(tasks.scene.name)", "-v", "intake=1",
                "-f", Servers.root.appending(path: "deploy/grants.sql").path,
            ],
            searchPath: tasks.scene.name
        )
        let file = try TemporaryFile(
            """
            {"types": [{"type": "benchmark", "pool": "\(pool)", "timeout_seconds": 60,
                        "handler": {"kind": "swift"}}]}
            """
        )
        let done = try tasks.scene.amity(
            ["types", "apply", file.path],
            try tasks.scene.asOwner()
        )
        try #require(done.status == 0, "\(done.error)")
        producer = Producer(for: tasks.scene, seed: seed)
        var variables = tasks.scene.variables
        let apiPort = RawConnection.freePort()
        variables["API_PORT"] = "\(apiPort)"
        api = try RunningWorker(["api"], environment: variables)
        client = TaskClient(port: apiPort)
        for _ in 0..<count { try startWorker() }
    }

    func startWorker() throws {
        workers.append(
            try tasks.scene.startWorker(["TASK_QUEUES": pool, "TASK_CONCURRENCY": "4"])
        )
    }

    // MARK: Progress

    /// As the database that a worker would use has it.
    func scored() throws -> Int { try scene.count("status = 'PROCESSED'") }

    func completed() throws -> Int {
        try scene.sql("SELECT count(*) FROM amity_tasks WHERE state = 5 AND pool = $1", .text(pool))
            .integer(0, 0) ?? -1
    }

    func waitForWork() throws {
        let (before, done) = (try scored(), try completed())
        try eventually("work goes on", within: .seconds(60)) {
            try scored() > before + 100 && completed() > done + 20
        }
    }

    /// Waits until conversations and tasks were finished after a moment.
    ///
    /// - Returns: how long it took from there, the later of both.
    func resumed(after moment: Date) throws -> Duration {
        try eventually("the database answers", within: .seconds(60)) {
            do {
                try scene.reconnect()
                return true
            } catch is PostgresError { return false }
        }
        let since = Parameter.text("\(moment.timeIntervalSince1970)")
        func first(_ column: String, _ table: String) throws -> Double? {
            let text = "SELECT extract(epoch FROM min(\(column))) FROM \(table)"
            let rows = try scene.sql(text + " WHERE \(column) > to_timestamp($1::float8)", since)
            return rows.double(0, 0)
        }
        var last = moment.timeIntervalSince1970
        try eventually("conversations and tasks are finished", within: .seconds(60)) {
            guard let conversation = try first("processed_at", "conversation_events"),
                let task = try first("finished_at", "amity_tasks")
            else { return false }
            last = max(conversation, task)
            return true
        }
        return .seconds(last - moment.timeIntervalSince1970)
    }

    // MARK: The end

    /// Stops the load, waits for the rest, and checks that all adds up.
    ///
    /// - Returns: conversations and tasks that were there once and are gone.
    func finish() throws -> (conversations: Int, tasks: Int) {
        let produced = producer.stop()
        let accepted = client.stop()
        do {
            // A message of a task that was lost is missed by two looks in a row, a minute apart.
            try eventually("all is quiet", within: .seconds(240)) {
                try scene.count("status <> 'PROCESSED'") == 0 && isQuiet(scene)
                    && tasks.sql(
                        "SELECT count(*) FROM amity_tasks WHERE state < 5 AND pool = $1",
                        .text(pool)
                    ).integer(0, 0) == 0
            }
        } catch {
            showLogs()
            throw error
        }
        let found = try scene.count("true")
        #expect(try scene.count("attempt_count <> 1") == 0, "an attempt was spent")
        let wrong = try scene.sql(
            """
            SELECT count(*) FROM friendship_status FULL JOIN (
                SELECT user_id, sum(friendship_score_change) AS change FROM conversation_events
                WHERE status = 'PROCESSED' GROUP BY user_id) AS events USING (user_id)
            WHERE friendship_score IS DISTINCT FROM change
            """
        )
        #expect(wrong.integer(0, 0) == 0, "users whose score is not the sum of its conversations")
        let rows = try tasks.sql(
            """
            SELECT count(*), count(*) FILTER (WHERE state <> 5),
                count(*) FILTER (WHERE attempts > 0)
            FROM amity_tasks WHERE id = ANY ($1::uuid[])
            """,
            .textArray(accepted)
        )
        #expect(rows.integer(0, 1) == 0, "a task did not complete")
        #expect(rows.integer(0, 2) == 0, "a task's attempt was spent")
        for worker in workers + [api].compactMap(\.self) { worker.signal(SIGTERM) }
        for worker in workers { #expect(try worker.waitForExit() == 0) }
        return (produced.conversations - found, accepted.count - (rows.integer(0, 0) ?? 0))
    }

    func showLogs() {
        for worker in workers + [api].compactMap(\.self) {
            let lines = worker.log.split(separator: "\n")
                .filter { !$0.contains("INVALID_MESSAGE") && !$0.contains("NOT_FOUND") }
            print("failover: a log\n" + lines.suffix(30).joined(separator: "\n"))
        }
    }
}

/// Makes ten tasks in one request five times a second, whatever becomes of them.
private final class TaskClient: Sendable {
    private let port: UInt16
    private let accepted = Locked<[String]>([])
    private let stopping = DrainSignal()
    private let ended = DispatchSemaphore(value: 0)

    init(port: UInt16) {
        self.port = port
        startThread(name: "client", stackBytes: 1 << 20) {
            while !self.stopping.wait(for: .milliseconds(200)) { self.submit() }
            self.ended.signal()
        }
    }

    /// - Returns: the ids of those that were accepted.
    func stop() -> [String] {
        stopping.raise()
        ended.wait()
        return accepted.withLock { $0 }
    }

    private func submit() {
        let entry = #"{"task_type":"benchmark","payload":{"sleep_ms":100}}"#
        let entries = Array(repeating: entry, count: 10).joined(separator: ",")
        // What fails was not accepted: the next request comes in a moment.
        guard
            let answer = try? RawAnswer.post(
                "/api/v1/tasks/batch",
                "{\"tasks\":[\(entries)]}",
                port: port,
                headers: ["Content-Type: application/json"]
            ), answer.status == 202,
            let json = try? JSONSerialization.jsonObject(with: Data(answer.body.utf8)),
            let results = (json as? [String: Any])?["results"] as? [[String: Any]]
        else { return }
        accepted.withLock { $0 += results.compactMap { $0["task_id"] as? String } }
    }
}
