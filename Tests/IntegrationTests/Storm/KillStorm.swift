import Concurrency
import Foundation
import Postgres
import TestSupport
import Testing

@testable import Tasks

/// Three workers, two APIs and a service that records what it is asked; and what kills them.
final class KillStorm {
    /// One call of the service: while it lasts, its run works.
    struct Call: Sendable {
        var task: String
        var run: Int
        var begin: ContinuousClock.Instant
        var end: ContinuousClock.Instant
    }

    let pool = String(UUID().uuidString.lowercased().prefix(30))
    private let scene: TaskScene
    private var random: SeededGenerator
    private let service: StubServer
    private let calls = Locked<[Call]>([])
    private let folder: TemporaryFolder
    private let marker = "storm-\(UUID().uuidString)"
    private var workers: [RunningWorker] = []
    private var apis: [(process: RunningWorker, port: UInt16)] = []
    /// Every id that was answered 202.
    private(set) var accepted: [TaskID] = []
    /// Those of tasks that kill the worker they run in.
    private var fatal: [TaskID] = []

    init(seed: UInt64) throws {
        scene = try TaskScene()
        random = SeededGenerator(seed: seed)
        folder = try TemporaryFolder()
        let calls = calls
        service = try StubServer { request in Self.answer(request, calls) }
        try Servers.psql(
            [
                "-v", "role=\(scene.scene.name)", "-v", "intake=1",
                "-f", Servers.root.appending(path: "deploy/grants.sql").path,
            ],
            searchPath: scene.scene.name
        )
        try applyTypes()
        for _ in 0..<3 { workers.append(try startWorker()) }
        for _ in 0..<2 { apis.append(try startAPI()) }
    }

    /// Answers with the run that it was asked to do, after up to a second.
    private static func answer(
        _ request: StubServer.Request,
        _ calls: Locked<[Call]>
    ) -> StubServer.Answer {
        struct Body: Decodable {
            var task_id: String
            var run: Int
        }
        guard let body = try? JSONDecoder().decode(Body.self, from: Data(request.body.utf8)) else {
            return .status(400)
        }
        let (now, length) = (ContinuousClock.now, Duration.milliseconds(Int.random(in: 0...1000)))
        calls.withLock {
            $0.append(Call(task: body.task_id, run: body.run, begin: now, end: now + length))
        }
        return .after(length, .json("{\"run\":\(body.run)}"))
    }

    // MARK: Parts

    private func applyTypes() throws {
        // A command whose child leaves its session: it must not outlive the worker all the same.
        let script = """
            import json, os, subprocess, sys, time
            payload = json.load(sys.stdin)
            parent = os.getppid()
            while payload.get("fatal") and parent > 1:
                with open(f"/proc/{parent}/cmdline") as line: words = line.read().split("\\0")
                if words[1:2] == ["worker"]: os.kill(parent, 9)
                with open(f"/proc/{parent}/stat") as line:
                    parent = int(line.read().rsplit(")", 1)[1].split()[1])
            subprocess.Popen(["setsid", "sleep", "7200"],
                             env={"STORM": "\(marker)", "PATH": os.environ["PATH"]})
            time.sleep(payload["seconds"])
            print(json.dumps({"result": {"run": int(os.environ["AMITY_TASK_RUN"])}}))
            """
        try folder.write("command.py", script)
        try folder.write(
            "commands.json",
            """
            {"commands": [{"type": "storm-command",
                           "argv": ["/usr/bin/env", "python3", "\(folder.path)/command.py"]}]}
            """
        )
        let common = "\"pool\": \"\(pool)\", \"timeout_seconds\": 60"
        let file = try TemporaryFile(
            """
            {"types": [
              {"type": "storm-http", \(common),
               "handler": {"kind": "http", "url": "\(service.url)/run"}},
              {"type": "storm-command", \(common), "handler": {"kind": "command"}},
              {"type": "benchmark", \(common), "handler": {"kind": "swift"}}]}
            """
        )
        let done = try scene.scene.amity(["types", "apply", file.path], scene.scene.asOwner())
        try #require(done.status == 0, "\(done.error)")
    }

    private func startWorker() throws -> RunningWorker {
        try scene.scene.startWorker([
            "TASK_QUEUES": pool, "TASK_CONCURRENCY": "8", "HTTP_PORT": "0",
            "HTTP_TARGET_HOSTS": "127.0.0.1", "TASK_COMMANDS": "\(folder.path)/commands.json",
        ])
    }

    private func startAPI() throws -> (RunningWorker, UInt16) {
        let port = RawConnection.freePort()
        var variables = scene.scene.variables
        variables["API_PORT"] = "\(port)"
        return (try RunningWorker(["api"], environment: variables), port)
    }

    // MARK: Load

    /// Sends a batch to an API, and takes down what it has accepted.
    func submit(_ count: Int) throws { accepted += try send(entries(count)) }

    /// Sends one that kills each worker that runs it; false when the API has not taken it.
    func submitFatal() throws -> Bool {
        let ids = try send(["{\"task_type\":\"storm-command\",\"payload\":{\"fatal\":true}}"])
        fatal += ids
        return !ids.isEmpty
    }

    private func entries(_ count: Int) -> [String] {
        (0..<count).map { _ in
            switch Int.random(in: 0..<10, using: &random) {
            case 0:
                let seconds = Double.random(in: 0...1, using: &random)
                return "{\"task_type\":\"storm-command\",\"payload\":{\"seconds\":\(seconds)}}"
            case 1...4: return #"{"task_type":"storm-http","payload":{}}"#
            case _:
                let time = Int.random(in: 0...300, using: &random)
                return "{\"task_type\":\"benchmark\",\"payload\":{\"sleep_ms\":\(time)}}"
            }
        }
    }

    private func send(_ entries: [String]) throws -> [TaskID] {
        let body = "{\"tasks\":[\(entries.joined(separator: ","))]}"
        let api = apis[Int.random(in: 0..<apis.count, using: &random)]
        guard
            let answer = try? RawAnswer.post(
                "/api/v1/tasks/batch",
                body,
                port: api.port,
                headers: ["Content-Type: application/json"]
            ), answer.status == 202
        else { return [] }
        let json = try JSONSerialization.jsonObject(with: Data(answer.body.utf8))
        let results = (json as? [String: Any])?["results"] as? [[String: Any]] ?? []
        return results.compactMap { ($0["task_id"] as? String).map(TaskID.init(stored:)) }
    }

    // MARK: Kills

    /// Kills one process, a quarter of the times the one that leads.
    func kill() throws {
        let all = workers + apis.map(\.process)
        let number =
            switch Int.random(in: 0..<4, using: &random) {
            case 0: all.firstIndex { $0.isLeading } ?? 0
            case 1: workers.count + Int.random(in: 0..<apis.count, using: &random)
            case _: Int.random(in: 0..<workers.count, using: &random)
            }
        all[number].signal(SIGKILL)
        _ = try all[number].waitForExit()
        try replaceTheDead()
    }

    /// As a service manager does.
    func replaceTheDead() throws {
        for number in workers.indices where !workers[number].isRunning {
            workers[number] = try startWorker()
        }
        for number in apis.indices where !apis[number].process.isRunning {
            apis[number] = try startAPI()
        }
    }

    // MARK: The end

    /// Waits until nothing is left to do, and checks that all adds up.
    func finish(within limit: Duration) throws {
        let ids = accepted
        // The test's own session has died with the database, which may still be recovering.
        try eventually("the database answers") {
            do {
                try scene.scene.reconnect()
                return true
            } catch is PostgresError {
                return false
            }
        }
        try eventually("every task is final", within: limit) {
            try replaceTheDead()
            return try scene.sql(
                "SELECT count(*) FROM amity_tasks WHERE state < 5 AND pool = $1",
                .text(pool)
            ).integer(0, 0) == 0
        }
        let odd = try scene.sql(
            """
            SELECT count(*) FILTER (WHERE state <> 5 AND NOT (state = 6 AND crashes = 4)),
                count(*) FILTER (WHERE attempts > 0),
                count(*) FILTER (
                    WHERE state = 5 AND type <> 'benchmark'
                      AND result ->> 'run' IS DISTINCT FROM run::text),
                count(*)
            FROM amity_tasks JOIN amity_task_data USING (id) WHERE id = ANY ($1::uuid[])
            """,
            .textArray(ids.map(\.text))
        )
        #expect(odd.integer(0, 3) == ids.count, "one that was answered 202 is not there")
        // A command that was killed with its worker three times alone has failed, as is promised.
        #expect(odd.integer(0, 0) == 0, "one did not complete")
        #expect(odd.integer(0, 1) == 0, "an attempt was spent on a kill")
        #expect(odd.integer(0, 2) == 0, "a result is not that of the last run")
        try expectEnd(ofFatal: fatal)
        expectNoOverlap()
        for worker in workers { worker.signal(SIGTERM) }
        for worker in workers { #expect(try worker.waitForExit() == 0) }
        try eventually("no process of a command is left") {
            Processes.count(having: ["STORM=\(marker)"]) == 0
        }
    }

    private func expectEnd(ofFatal ids: [TaskID]) throws {
        let found = try scene.sql(
            """
            SELECT count(*) FILTER (WHERE state = 6 AND attempts = 0 AND crashes = 4
                AND errors -> -1 ->> 'code' = 'WORKER_CRASHED'), count(*)
            FROM amity_tasks JOIN amity_task_data USING (id) WHERE id = ANY ($1::uuid[])
            """,
            .textArray(ids.map(\.text))
        )
        #expect(found.integer(0, 1) == ids.count)
        #expect(found.integer(0, 0) == ids.count, "one that kills its workers did not end so")
    }

    private func expectNoOverlap() {
        let byTask = Dictionary(grouping: calls.withLock { $0 }, by: \.task)
        for calls in byTask.values {
            let sorted = calls.sorted { $0.begin < $1.begin }
            for (one, next) in zip(sorted, sorted.dropFirst()) {
                #expect(one.end <= next.begin && one.run < next.run, "two runs of one task overlap")
            }
        }
    }
}

extension RunningWorker {
    /// Whether it schedules, as far as it has said.
    fileprivate var isLeading: Bool {
        let log = log
        guard let begin = log.range(of: "scheduler.leads", options: .backwards) else {
            return false
        }
        return isRunning && !log[begin.upperBound...].contains("scheduler.follows")
    }
}
