import Foundation
import Glibc
import Testing

/// The database of this run with TLS switched on, until it goes.
final class SecureDatabase {
    private static let settings = [
        "ssl", "ssl_cert_file", "ssl_key_file", "ssl_min_protocol_version",
        "ssl_max_protocol_version", "ssl_ciphers",
    ]
    private let port: UInt16

    /// - Parameter extra: more of PostgreSQL's settings for TLS.
    init(_ identity: PrivateAuthority.Identity, _ extra: [String: String] = [:]) throws {
        port = try Servers.port("DATABASE_URL")
        let folder = try #require(Servers.environment["AMITY_SERVERS_DIR"]) + "/postgres"
        for (source, name) in [(identity.certificate, "test.pem"), (identity.key, "test.key")] {
            let content = try #require(FileManager.default.contents(atPath: source))
            let path = "\(folder)/\(name)"
            try content.write(to: URL(fileURLWithPath: path))
            // PostgreSQL reads no key that others may read.
            var owner = stat()
            try #require(stat(folder, &owner) == 0 && chmod(path, 0o600) == 0)
            try #require(chown(path, owner.st_uid, owner.st_gid) == 0)
        }
        let wanted = ["ssl": "on", "ssl_cert_file": "test.pem", "ssl_key_file": "test.key"]
            .merging(extra) { $1 }
        try Self.alter(wanted.map { "SET \($0) = '\($1)'" })
        try eventually("TLS is on") { try self.isOn() }
    }

    deinit {
        do {
            try Self.alter(Self.settings.map { "RESET \($0)" })
            try eventually("TLS is off") { try !self.isOn() }
        } catch { Issue.record(error, "TLS could not be switched off again") }
    }

    private func isOn() throws -> Bool {
        let done = try Command.run(
            URL(fileURLWithPath: "/usr/bin/env"),
            ["psql", "-qXAtc", "SHOW ssl", try #require(Servers.environment["DATABASE_URL"])]
        )
        return done.output == "on\n"
    }

    private static func alter(_ changes: [String]) throws {
        let commands = changes.map { "ALTER SYSTEM \($0)" } + ["SELECT pg_reload_conf()"]
        try Servers.psql(commands.flatMap { ["-c", $0] } + ["-o", "/dev/null"])
    }

    /// What speaks TLS with it, and how.
    func handshake(_ environment: [String: String]) throws -> String {
        try Command.run(
            URL(fileURLWithPath: "/usr/bin/env"),
            ["openssl", "s_client", "-starttls", "postgres", "-connect", "127.0.0.1:\(port)"],
            environment: environment
        ).output
    }
}
