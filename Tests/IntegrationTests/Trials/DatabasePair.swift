import Foundation
import Glibc
import Postgres
import Testing

/// The two servers that `deploy/dev/failover-trial` has started: a primary and its standby.
final class DatabasePair: Sendable {
    private let folder: String
    private let ports: [String]

    static let seeds: [UInt64] =
        (ProcessInfo.processInfo.environment["AMITY_SEEDS"] ?? "1").split(separator: ",")
        .compactMap { UInt64($0) }

    /// nil where nothing was started.
    static let shared: DatabasePair? = {
        guard let text = ProcessInfo.processInfo.environment["AMITY_PAIR"],
            let match = text.wholeMatch(of: /PAIR_DIR=(.+) PAIR_PORTS=(.+)/)
        else { return nil }
        return DatabasePair(
            folder: String(match.1),
            ports: match.2.split(separator: ",").map(String.init)
        )
    }()

    private init(folder: String, ports: [String]) {
        self.folder = folder
        self.ports = ports
    }

    /// Of whichever is the primary.
    var url: String {
        "postgresql://amity@\(ports.map { "127.0.0.1:\($0)" }.joined(separator: ","))/amity"
    }

    func control(_ command: String, _ node: Int) throws {
        let script = Servers.root.appending(path: "deploy/dev/failover-trial")
        let done = try Command.run(script, [command, folder, "\(node)"])
        try #require(done.status == 0, "\(command): \(done.error)")
    }

    /// - Returns: what psql prints.
    @discardableResult
    func sql(_ text: String, on node: Int) throws -> String {
        let url = "postgresql://amity@127.0.0.1:\(ports[node - 1])/amity"
        let done = try Command.run(
            URL(fileURLWithPath: "/usr/bin/env"),
            ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", url, "-c", text]
        )
        try #require(done.status == 0, "psql: \(done.error)")
        return done.output.trimmingCharacters(in: .newlines)
    }

    func primary() throws -> Int {
        let isStandby = try sql("SELECT pg_is_in_recovery()", on: 1)
        return isStandby == "t" ? 2 : 1
    }

    /// Whether the primary's commits wait for the standby.
    func setSynchronous(_ isOn: Bool, on node: Int) throws {
        try sql("ALTER SYSTEM SET synchronous_standby_names = '\(isOn ? "*" : "")'", on: node)
        try sql("SELECT pg_reload_conf()", on: node)
        let wanted = isOn ? "sync" : "async"
        try eventually("the standby is \(wanted)") {
            try sql("SELECT sync_state FROM pg_stat_replication", on: node) == wanted
        }
    }

    /// Stops what sends changes to the standby: what is committed from now on is lost with the
    /// primary.
    func holdBack(on node: Int) throws {
        for process in try sql("SELECT pid FROM pg_stat_replication", on: node).split(
            separator: "\n"
        ) { kill(try #require(Int32(process)), SIGSTOP) }
    }
}
