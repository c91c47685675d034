import Concurrency
import Foundation
import Logging
import Postgres
import TestSupport
import Testing

@testable import ConversationIntake
@testable import Settings
@testable import Storage

/// A scene whose role may also store conversations, and the requests for it.
struct IntakeScene {
    let scene: Scene

    init(_ tables: Scene.Tables = .fresh, settings: [String: String] = [:]) throws {
        scene = try Scene(tables, settings: settings)
        _ = try Migrator(target: scene.owner, version: amityVersion).run()
        try Servers.psql(
            [
                "-v", "role=\(scene.name)", "-v", "intake=1",
                "-f", Servers.root.appending(path: "deploy/grants.sql").path,
            ],
            searchPath: scene.name
        )
    }

    /// Not started.
    func service(
        through proxies: Proxy...,
        logger: Logger = quiet
    ) throws -> IntakeService {
        var variables = scene.variables
        for name in ["RABBITMQ_URL", "DATABASE_URL"] {
            for proxy in proxies { variables[name] = variables[name].map(proxy.rerouted) }
        }
        return try Self.service(variables, logger)
    }

    static func service(
        _ variables: [String: String],
        _ logger: Logger = quiet
    ) throws -> IntakeService {
        let settings = try WorkerSettings(SettingValues { variables[$0] })
        return IntakeService(
            database: try #require(ConnectionTarget(url: variables["DATABASE_URL"] ?? "")),
            endpoint: settings.endpoint,
            topology: settings.topology,
            logger: logger
        )
    }

    func outbox() throws -> Int {
        try scene.sql("SELECT count(*) FROM amity_outbox").integer(0, 0) ?? -1
    }

    /// Waits until the outbox is empty, and counts the queue.
    func messages() throws -> Int {
        try eventually("the outbox is empty") { try outbox() == 0 }
        return try scene.queue.ready()
    }

    /// All at once, each from a task of its own; in the order of the bodies.
    static func answers(
        _ bodies: [[UInt8]],
        of service: IntakeService
    ) async -> [IntakeAnswer] {
        await withTaskGroup(of: (Int, IntakeAnswer).self) { group in
            for (number, body) in bodies.enumerated() {
                group.addTask { (number, await service.end(body)) }
            }
            return await group.reduce(into: []) { $0.append($1) }.sorted { $0.0 < $1.0 }
                .map(\.1)
        }
    }

    /// - Parameter members: more members, or others: the last of twins counts.
    static func body(_ id: String, _ members: String = "") -> [UInt8] {
        Array(
            """
            {"conversation_id":"\(id)","user_id":"user","bot_type":"TALK","bot_id":"bot-1",
             "bot_name":"Pika","start_time":"2026-01-01T10:00:00Z",
             "end_time":"2026-01-01T10:20:00Z","conversation_log":\(Scene.oneTurn)
             \(members.isEmpty ? "" : ",")\(members)}
            """.utf8
        )
    }
}

extension IntakeAnswer {
    var json: [String: Any] {
        get throws {
            try #require(try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
        }
    }

    var data: [String: Any] {
        get throws { try #require(try json["data"] as? [String: Any]) }
    }
}

/// Everything that a logger is told, whatever the level.
final class LoggedText: Sendable {
    private let lines = Locked<[String]>([])

    var all: String { lines.withLock { $0.joined(separator: "\n") } }

    var logger: Logger { Logger(label: "intake", factory: { _ in Handler(text: self) }) }

    private struct Handler: LogHandler {
        let text: LoggedText
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            text.lines.withLock { $0.append("\(event.message) \(event.metadata ?? [:])") }
        }
    }
}

extension IntakeScene {
    /// Without a service around it.
    func store() throws -> IntakeStore {
        let sessions = SessionPool(
            target: try #require(ConnectionTarget(url: scene.variables["DATABASE_URL"] ?? "")),
            limit: 1,
            applicationName: "test",
            statementTimeout: .seconds(5)
        )
        return IntakeStore(sessions: sessions, exchange: "", routingKey: scene.name)
    }

    /// Stores requests as one group.
    ///
    /// - Parameter requests: ids, and more members.
    func store(_ requests: [(id: String, members: String)]) throws -> [String] {
        let events = try requests.map { try ConversationEnd(body: Self.body($0, $1)) }
        return try store().store(events, lane: 0).map { outcome in
            switch outcome {
            case .stored: "stored"
            case .same: "same"
            case .different: "different"
            case .refused(let error): "refused \(error.sqlState)"
            case .unavailable: "unavailable"
            }
        }
    }
}
