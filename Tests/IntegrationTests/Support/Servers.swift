import Foundation
import Testing

/// The private RabbitMQ and PostgreSQL of this test run, started with the first test that asks.
/// They stop by themselves when the run is over, however it ends.
enum Servers {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// `KEY=value` as `deploy/dev/servers` prints them.
    static let environment: [String: String] = {
        do {
            return try start()
        } catch {
            preconditionFailure("deploy/dev/servers did not start: \(error)")
        }
    }()

    /// Whether workers reach PostgreSQL through PgBouncer, as `deploy/dev/matrix` has it.
    static let arePooled = ProcessInfo.processInfo.environment["AMITY_TEST_POOLER"] != nil

    private static func start() throws -> [String: String] {
        let folder = NSTemporaryDirectory() + "amity-tests-\(getpid())"
        let started = try Command.run(
            root.appending(path: "deploy/dev/servers"),
            ["start", folder, "--owner", "\(getpid())"] + (arePooled ? ["--pooler"] : [])
        )
        try #require(started.status == 0, "\(started.error)")
        let pairs = started.output.split(separator: "\n").map { line in
            let parts = line.split(separator: "=", maxSplits: 1)
            return (String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
        }
        var environment = Dictionary(uniqueKeysWithValues: pairs)
        if let pair = DatabasePair.shared { environment["DATABASE_URL"] = pair.url }
        return environment
    }

    enum Server: String { case rabbitmq, postgres }
    /// `stop` is what an administrator does, `kill` a crash.
    enum Ending: String, CaseIterable { case stop, kill }

    /// Runs `body` while a server is away. It is back when this returns, on its old port with its
    /// old data, whatever `body` finds.
    static func without(_ server: Server, _ ending: Ending, _ body: () throws -> Void) throws {
        try control("\(ending.rawValue)-\(server.rawValue)")
        let found = Result(catching: body)
        try control("start-\(server.rawValue)")
        try found.get()
    }

    private static func control(_ command: String) throws {
        let done = try Command.run(
            root.appending(path: "deploy/dev/servers"),
            [command, environment["AMITY_SERVERS_DIR"]!]
        )
        try #require(done.status == 0, "\(command): \(done.error)")
    }

    /// The broker's process, another one after each start.
    static func rabbitmqProcess() throws -> Int32 {
        let file = environment["AMITY_SERVERS_DIR"]! + "/env"
        let lines = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n")
        let line = lines.first { $0.hasPrefix("RABBITMQ_PID=") }
        return try #require(line.flatMap { Int32($0.dropFirst("RABBITMQ_PID=".count)) })
    }

    /// The largest message that the broker takes on channels opened from now on.
    static func setLargestMessage(_ bytes: Int) throws {
        try rabbitmqctl(
            "eval",
            """
            application:set_env(rabbit, max_message_size, \(bytes)),
            persistent_term:put(max_message_size, \(bytes)).
            """
        )
    }

    /// The port in one of the URLs.
    static func port(_ url: String) throws -> UInt16 {
        let components = try #require(environment[url].flatMap(URLComponents.init(string:)))
        return UInt16(try #require(components.port))
    }

    /// The URL by which workers reach their database.
    static let workersDatabase = arePooled ? "POOLED_DATABASE_URL" : "DATABASE_URL"

    static func workersDatabasePort() throws -> UInt16 { try port(workersDatabase) }

    /// Host and port, or several of both.
    static func workersDatabaseAddress() throws -> String {
        let url = try #require(environment[workersDatabase])
        return String(try #require(url.firstMatch(of: /@(.+)\//)).1)
    }

    /// How often PostgreSQL has logged a text: the proof that a fault of its own did happen.
    static func postgresLogCount(_ text: String) throws -> Int {
        let log = environment["AMITY_SERVERS_DIR"]! + "/log/postgres"
        return try String(contentsOfFile: log, encoding: .utf8).ranges(of: text).count
    }

    @discardableResult
    static func rabbitmqctl(_ arguments: String...) throws -> String {
        try rabbitmqctl(arguments)
    }

    @discardableResult
    static func rabbitmqctl(_ arguments: [String]) throws -> String {
        let done = try Command.run(
            root.appending(path: "deploy/dev/servers"),
            ["ctl", environment["AMITY_SERVERS_DIR"]!] + arguments
        )
        try #require(done.status == 0, "rabbitmqctl: \(done.error)")
        return done.output
    }

    /// Runs SQL as the owner of the database.
    static func psql(_ arguments: [String], searchPath: String = "public") throws {
        let done = try Command.run(
            URL(fileURLWithPath: "/usr/bin/env"),
            ["psql", environment["DATABASE_URL"]!, "-qX", "-v", "ON_ERROR_STOP=1"] + arguments,
            environment: [
                "PGOPTIONS": "-csearch_path=\(searchPath)", "PGTARGETSESSIONATTRS": "read-write",
            ]
        )
        try #require(done.status == 0, "psql: \(done.error)")
    }

    /// Ends the role's sessions first: a statement of a program that was just killed may hold locks
    /// on what is dropped.
    static func drop(schemaAndRole name: String) throws {
        try psql([
            "-o", "/dev/null", "-c", "ALTER ROLE \(name) NOLOGIN",
            "-c",
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                + " WHERE usename = '\(name)'",
            "-c", "DROP SCHEMA \(name) CASCADE", "-c", "DROP ROLE \(name)",
        ])
    }
}

extension Trait where Self == ConditionTrait {
    /// For what stands between sessions and a pooler: passwords, certificates, their number, and
    /// settings that a session asks for when it starts.
    static var withoutPooler: Self { .disabled(if: Servers.arePooled, "a pooler's own matter") }
}

/// Runs a program to its end.
enum Command {
    struct Result {
        var status: Int32
        var output: String
        var error: String
    }

    /// The daemon as it was built for this run.
    static let amity = Bundle.module.bundleURL.deletingLastPathComponent().appending(path: "amity")

    static func run(
        _ program: URL,
        _ arguments: [String],
        environment: [String: String] = [:],
        input: String = ""
    ) throws -> Result {
        let process = Process()
        process.executableURL = program
        process.arguments = arguments
        process.environment = inherited.merging(environment) { _, new in new }
        let (stdin, stdout) = (Pipe(), Pipe())
        // Errors go to a file: two pipes read one after the other could fill up and block.
        let errors = try TemporaryFile()
        process.standardInput = stdin
        process.standardOutput = stdout
        process.standardError = errors.handle
        try process.run()
        try stdin.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try stdin.fileHandleForWriting.close()
        let output = try stdout.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return Result(
            status: process.terminationStatus,
            output: String(decoding: output, as: UTF8.self),
            error: errors.content
        )
    }

    /// The settings of the shell that runs the tests must not reach the processes under test.
    static let inherited = ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? ""]
        .merging(["SWIFT_BACKTRACE": "enable=no"]) { _, new in new }
}

/// A file that is gone when the test is.
final class TemporaryFile {
    let path: String
    let handle: FileHandle

    init(_ content: String = "") throws {
        path = NSTemporaryDirectory() + "amity-\(UUID().uuidString)"
        try Data(content.utf8).write(to: URL(fileURLWithPath: path))
        handle = try #require(FileHandle(forUpdatingAtPath: path))
    }

    deinit { unlink(path) }

    var content: String {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}

/// Waits for a condition, looking again twenty times a second.
///
/// - Parameter limit: generous: it only bounds how long a failure takes.
func eventually(
    _ what: Comment,
    within limit: Duration = .seconds(20),
    sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () throws -> Bool
) throws {
    let deadline = ContinuousClock.now + limit
    let pause = DispatchSemaphore(value: 0)
    while try !condition() {
        try #require(ContinuousClock.now < deadline, what, sourceLocation: sourceLocation)
        _ = pause.wait(timeout: .now() + 0.05)
    }
}
