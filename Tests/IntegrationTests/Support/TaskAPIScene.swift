import Foundation
import Postgres
import TestSupport
import Testing

@testable import Settings
@testable import Storage
@testable import Tasks

/// `amity api` in a process of its own whose role may do all that tasks and intake need. Every
/// answer is held against `openapi.json`.
final class TaskAPIScene {
    let tasks: TaskScene
    let api: RunningWorker
    let port = RawConnection.freePort()
    let token: String?

    /// - Parameters:
    ///   - proxy: stands between it and the broker.
    ///   - settings: of the API, and of workers that are started in its scene.
    init(
        token: String? = nil,
        tables: Bool = true,
        through proxy: Proxy? = nil,
        settings: [String: String] = [:]
    ) throws {
        self.token = token
        tasks = try TaskScene(settings: settings)
        let scene = tasks.scene
        try Servers.psql(
            [
                "-v", "role=\(scene.name)", "-v", "intake=1",
                "-f", Servers.root.appending(path: "deploy/grants.sql").path,
            ],
            searchPath: scene.name
        )
        if !tables { try Self.dropTables(scene) }
        var variables = scene.variables
        variables["API_PORT"] = "\(port)"
        variables["API_TOKEN"] = token
        if let proxy { variables["RABBITMQ_URL"] = variables["RABBITMQ_URL"].map(proxy.rerouted) }
        api = try RunningWorker(["api"], environment: variables)
        try eventually("it is alive") { [port] in
            do {
                return try RawAnswer.get("/health/live", port: port).status == 200
            } catch is RawConnection.Refused {
                return false
            }
        }
    }

    private static func dropTables(_ scene: Scene) throws {
        for table in [
            "tasks", "task_data", "task_types", "requests", "leases", "tokens", "documents",
            "chunks", "schedules",
        ] {
            try scene.sql("DROP TABLE amity_\(table)")
        }
    }

    struct Answer {
        let raw: RawAnswer
        var status: Int { raw.status }

        var json: [String: Any] {
            get throws {
                let json = try JSONSerialization.jsonObject(with: Data(raw.body.utf8))
                return try #require(json as? [String: Any], "\(raw.body)")
            }
        }

        func text(_ name: String) throws -> String {
            try #require(try json[name] as? String, "\(name) of \(raw.body)")
        }

        func list(_ name: String) throws -> [[String: Any]] {
            try #require(try json[name] as? [[String: Any]], "\(name) of \(raw.body)")
        }

        /// A problem's code.
        var code: String? {
            get throws { try json["code"] as? String }
        }

        var pointers: [String] {
            get throws {
                (try json["errors"] as? [[String: Any]] ?? []).compactMap {
                    $0["pointer"] as? String
                }
            }
        }
    }

    /// - Parameters:
    ///   - path: below /api/v1, or from the root with two slashes.
    ///   - body: JSON; nil for none.
    ///   - port: of what stands between; nil for the API's own. No answer has the status 0.
    ///   - headers: lines.
    func send(
        _ method: String,
        _ path: String,
        _ body: String? = nil,
        token: String? = nil,
        port: UInt16? = nil,
        headers: [String] = []
    ) throws -> Answer {
        let whole = path.hasPrefix("//") ? String(path.dropFirst()) : "/api/v1\(path)"
        var lines = headers
        if let body {
            lines.append("Content-Length: \(body.utf8.count)")
            if !headers.contains(where: { $0.hasPrefix("Content-Type") }) {
                lines.append("Content-Type: application/json")
            }
        }
        if let token = token ?? self.token, !token.isEmpty {
            lines.append("Authorization: Bearer \(token)")
        }
        let to = port ?? self.port
        let raw = try RawAnswer.send(method, whole, port: to, headers: lines, body ?? "")
        if raw.status == 0 { return Answer(raw: raw) }
        let objection = APIDescription.shared.objection(to: raw, of: method, whole)
        if let objection {
            Issue.record("\(method) \(whole) \(raw.status): \(objection) \(raw.body)")
        }
        return Answer(raw: raw)
    }

    func submit(
        _ members: String = #""payload":{"message":"hello"}"#,
        token: String? = nil
    ) throws -> TaskID {
        let body = #"{"task_type":"test","# + members + "}"
        let answer = try send("POST", "/tasks", body, token: token)
        #expect(answer.status == 202, "\(answer.raw.body)")
        return TaskID(stored: try answer.text("task_id"))
    }
}
