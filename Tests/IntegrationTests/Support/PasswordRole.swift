import Foundation
import Testing

/// A role of the test's database that needs a password from now on, until this goes; others need
/// none.
final class PasswordRole {
    private let role: String
    private let rules: String

    init(_ role: String, password: String) throws {
        self.role = role
        let folder = try #require(Servers.environment["AMITY_SERVERS_DIR"])
        rules = folder + "/postgres/pg_hba.conf"
        try set(password: password)
        try edit { ["host all \(role) 127.0.0.1/32 scram-sha-256"] + $0 }
    }

    deinit {
        do {
            try edit { lines in lines.filter { !$0.contains(" \(role) ") } }
        } catch { Issue.record(error, "a rule of pg_hba.conf is left over") }
    }

    func set(password: String) throws {
        try Servers.psql(["-c", "ALTER ROLE \(role) PASSWORD '\(password)'"])
    }

    /// In place, so that the file keeps its owner.
    private func edit(_ change: ([String]) -> [String]) throws {
        let lines = try String(contentsOfFile: rules, encoding: .utf8).split(separator: "\n")
        let file = try #require(FileHandle(forWritingAtPath: rules))
        try file.truncate(atOffset: 0)
        let changed = change(lines.map(String.init)).map { $0 + "\n" }.joined()
        try file.write(contentsOf: Data(changed.utf8))
        try file.close()
        try Servers.psql(["-c", "SELECT pg_reload_conf()", "-o", "/dev/null"])
    }
}
