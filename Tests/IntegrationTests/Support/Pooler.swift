import Foundation
import Glibc
import Testing

/// A PgBouncer in front of the database, until it goes.
final class Pooler {
    private let process = Process()
    private let folder: URL
    private let port: UInt16

    /// Whether this PgBouncer keeps prepared statements in transaction mode unless it is told not
    /// to: from 1.24 on; 1.21 does where it is told to, and older ones never do.
    static let keepsStatements: Bool = {
        do {
            let asked = try Command.run(program, ["--version"])
            let minor = asked.output.firstMatch(of: /PgBouncer 1\.([0-9]+)/).flatMap { Int($0.1) }
            return minor.map { $0 >= 24 } ?? true
        } catch { return false }
    }()

    private static let program = URL(fileURLWithPath: "/usr/sbin/pgbouncer")

    /// - Parameters:
    ///   - mode: `session`, `transaction` or `statement`.
    ///   - ignoring: what of a session's start it drops.
    ///   - places: how many sessions have a server at once.
    init(_ mode: String, ignoring parameters: String = "", places: Int = 20) throws {
        port = try Silence().port
        folder = FileManager.default.temporaryDirectory
            .appending(path: "amity-pooler-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let ini = folder.appending(path: "pgbouncer.ini")
        try Data(
            """
            [databases]
            * = host=127.0.0.1 port=\(try Servers.port("DATABASE_URL")) user=amity
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = \(port)
            unix_socket_dir =
            auth_type = any
            pool_mode = \(mode)
            default_pool_size = \(places)
            ignore_startup_parameters = extra_float_digits\
            \(parameters.isEmpty ? "" : ",")\(parameters)
            """.utf8
        ).write(to: ini)
        process.executableURL = Self.program
        // It refuses to run as root.
        process.arguments = (getuid() == 0 ? ["--user", "postgres"] : []) + ["-q", ini.path]
        process.standardError = FileHandle.nullDevice
        try process.run()
        try eventually("the pooler answers") {
            try #require(process.isRunning, "pgbouncer does not run")
            let done = try Command.run(
                URL(fileURLWithPath: "/usr/bin/env"),
                ["bash", "-c", ": </dev/tcp/127.0.0.1/\(port)"]
            )
            return done.status == 0
        }
    }

    deinit {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        do {
            try FileManager.default.removeItem(at: folder)
        } catch { Issue.record(error, "the pooler's folder could not be removed") }
    }

    func rerouted(_ url: String) throws -> String {
        url.replacing(
            "@127.0.0.1:\(try Servers.port("DATABASE_URL"))/",
            with: "@127.0.0.1:\(port)/"
        )
    }
}
