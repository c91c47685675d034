import Foundation
import Testing

/// A hot standby of this run's database, until it goes.
final class Standby {
    let port: UInt16
    private let process = Process()
    private let folder: URL

    init() throws {
        port = try Silence().port
        folder = FileManager.default.temporaryDirectory
            .appending(path: "amity-standby-\(UUID().uuidString)")
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["bash", "-euc", Self.script]
        process.environment = Command.inherited.merging([
            "FOLDER": folder.path, "PORT": "\(port)",
            "PRIMARY": try #require(Servers.environment["DATABASE_URL"]),
        ]) { $1 }
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        try eventually("the standby answers", within: .seconds(60)) {
            try #require(process.isRunning, "the standby does not run")
            let url = "postgresql://amity@127.0.0.1:\(port)/amity"
            let asked = try Command.run(
                URL(fileURLWithPath: "/usr/bin/env"),
                ["psql", "-qXAtc", "SELECT pg_is_in_recovery()", url]
            )
            return asked.output == "t\n"
        }
    }

    deinit {
        kill(process.processIdentifier, SIGQUIT)
        process.waitUntilExit()
        do {
            try FileManager.default.removeItem(at: folder)
        } catch { Issue.record(error, "the standby's folder could not be removed") }
    }

    /// PostgreSQL refuses to run as root, and a standby with fewer connections than its primary.
    private static let script = """
        cd /
        mkdir -m 700 "$FOLDER"
        PATH=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1):$PATH
        run=()
        if ((EUID == 0)); then
            chown postgres: "$FOLDER"
            run=(setpriv --reuid=postgres --regid=postgres --init-groups)
        fi
        "${run[@]}" pg_basebackup --dbname="$PRIMARY" --pgdata="$FOLDER" --write-recovery-conf \
            --checkpoint=fast --wal-method=stream --no-sync
        exec "${run[@]}" postgres -D "$FOLDER" -c port="$PORT" -c listen_addresses=127.0.0.1 \
            -c unix_socket_directories= -c max_connections=300 -c shared_buffers=16MB
        """
}
