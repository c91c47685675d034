import Foundation
import Postgres
import Testing

@testable import Tasks

/// `amity api`, types in a pool of their own, and workers that are processes of their own.
final class WorkerProcessScene: SceneWithTasks {
    let api: TaskAPIScene
    let pool: String
    private var workers: [RunningWorker] = []

    /// A worker with the handlers of `Tests/HandlerProbe`.
    static let probe = Command.amity.deletingLastPathComponent().appending(path: "HandlerProbe")

    /// - Parameters:
    ///   - types: each with its handler, as the table of types has it. Their tasks have 30 seconds
    ///     and three more attempts.
    ///   - token: that opens the API.
    ///   - settings: of the API and the workers.
    init(
        types: [String: String],
        token: String? = nil,
        settings: [String: String] = [:]
    ) throws {
        api = try TaskAPIScene(token: token, settings: settings)
        pool = api.tasks.scene.name.replacing("_", with: "-")
        for (type, handler) in types {
            try sql(
                """
                INSERT INTO amity_task_types
                VALUES ('\(type)', '\(pool)', 2, '\(handler)', 30, 3)
                """
            )
        }
    }

    deinit {
        for worker in workers { worker.signal(SIGKILL) }
        TaskQueue.deleteAll(of: pool, at: tasks.scene.settings.endpoint)
    }

    var tasks: TaskScene { api.tasks }

    /// Of the priority that the types have.
    var queue: TestQueue {
        TestQueue(
            name: TaskQueue(pool: pool, priority: .normal).name,
            endpoint: tasks.scene.settings.endpoint
        )
    }

    @discardableResult
    func sql(_ text: String) throws -> Rows { try tasks.sql(text) }

    /// Starts a worker and waits until it consumes.
    @discardableResult
    func startWorker(
        of program: URL = probe,
        _ extra: [String: String] = [:]
    ) throws -> RunningWorker {
        let settings = ["TASK_QUEUES": pool, "TASK_CONCURRENCY": "4", "DRAIN_TIMEOUT_SECONDS": "1"]
        let worker = try RunningWorker(
            program == Command.amity ? ["worker"] : [],
            of: program,
            environment: tasks.scene.variables.merging(settings) { $1 }.merging(extra) { $1 }
        )
        workers.append(worker)
        try eventually("it consumes") { !worker.events("task-consumer.started").isEmpty }
        return worker
    }

    /// Makes a task over HTTP.
    ///
    /// - Parameters:
    ///   - payload: JSON.
    ///   - members: of the body, besides.
    func submit(_ type: String, _ payload: String, _ members: String = "") throws -> TaskID {
        let more = members.isEmpty ? "" : ",\(members)"
        let body = #"{"task_type":"\#(type)","payload":\#(payload)\#(more)}"#
        let answer = try api.send("POST", "/tasks", body)
        #expect(answer.status == 202, "\(answer.raw.body)")
        return TaskID(stored: try answer.text("task_id"))
    }

    /// As a client sees it.
    func get(_ id: TaskID) throws -> [String: Any] { try api.send("GET", "/tasks/\(id)").json }

    /// The error that a client sees.
    func error(of id: TaskID) throws -> (code: String?, message: String?) {
        let error = try get(id)["error"] as? [String: Any]
        return (error?["code"] as? String, error?["message"] as? String)
    }
}

/// A file that handlers wait for.
final class FileGate {
    let path = NSTemporaryDirectory() + "amity-gate-\(UUID().uuidString)"

    deinit { close() }

    func open() { _ = FileManager.default.createFile(atPath: path, contents: nil) }

    func close() { unlink(path) }
}
