import Foundation

/// The broker and the database that are measured: private ones in a folder, or the user's.
struct Servers {
    let rabbitmqURL: String
    let databaseURL: String
    /// Known of private servers only.
    let brokerPID: Int32?
    let databasePID: Int32?
    private let script: URL?

    /// - Parameters:
    ///   - environment: names servers with RABBITMQ_URL and DATABASE_URL. Not `.env`: what a worker
    ///     finds there is production.
    ///   - folder: for private ones, with everything they keep.
    init(environment: [String: String], folder: URL) throws {
        switch (environment["RABBITMQ_URL"], environment["DATABASE_URL"]) {
        case (let broker?, let database?):
            guard database.contains("://") else { throw BenchmarkError.databaseURLNeeded }
            rabbitmqURL = broker.trimmingCharacters(in: .whitespacesAndNewlines)
            databaseURL = database.trimmingCharacters(in: .whitespacesAndNewlines)
            brokerPID = nil
            databasePID = nil
            script = nil
        case (nil, nil):
            let script = try Self.script()
            let owner = ProcessInfo.processInfo.processIdentifier
            let started = try ChildProcess.run(
                script,
                ["start", folder.path, "--owner", "\(owner)"],
                environment: environment,
                in: folder
            )
            let values = Self.values(started)
            rabbitmqURL = values["RABBITMQ_URL"] ?? ""
            databaseURL = values["DATABASE_URL"] ?? ""
            brokerPID = values["RABBITMQ_PID"].flatMap { Int32($0) }
            databasePID = values["POSTGRES_PID"].flatMap { Int32($0) }
            self.script = script
        case (_?, nil), (nil, _?):
            throw BenchmarkError.onlyOneServerGiven
        }
    }

    /// Stops private servers, and leaves the user's alone.
    func stop(in folder: URL) throws {
        guard let script else { return }
        let process = Process()
        process.executableURL = script
        process.arguments = ["stop", folder.path]
        try process.run()
        process.waitUntilExit()
    }

    private static func script() throws -> URL {
        let here = URL(fileURLWithPath: FileManager.default.currentDirectoryPath)
        var folders = [here]
        var above = WorkerProcess.program
        while above.path != "/" {
            above.deleteLastPathComponent()
            folders.append(above)
        }
        let scripts = folders.map { $0.appending(path: "deploy/dev/servers") }
        guard
            let script = scripts.first(where: {
                FileManager.default.isExecutableFile(atPath: $0.path)
            })
        else { throw BenchmarkError.serversScriptMissing }
        return script
    }

    /// `KEY=value` lines.
    private static func values(_ text: String) -> [String: String] {
        var values: [String: String] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { values[String(parts[0])] = String(parts[1]) }
        }
        return values
    }
}
