import Foundation

/// One `amity worker` as a process of its own, with the settings a user would give it.
final class WorkerProcess {
    /// The program that runs now: a worker is the same binary.
    static let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()

    let startedAt: Date
    private let process = Process()
    private let logFile: URL

    /// - Parameters:
    ///   - environment: all of it; nothing is inherited.
    ///   - folder: its working directory, so that no `.env` takes part, and the place of its log.
    init(_ arguments: [String], environment: [String: String], in folder: URL) throws {
        logFile = folder.appending(path: "worker-\(UUID().uuidString).log")
        process.executableURL = Self.program
        process.arguments = arguments
        process.environment = environment
        process.currentDirectoryURL = folder
        let log = try ChildProcess.emptyFile(at: logFile)
        process.standardError = log
        process.standardOutput = log
        startedAt = Date()
        try process.run()
    }

    deinit {
        if process.isRunning { kill() }
    }

    var cpuSeconds: Double { Usage.cpuSeconds(of: process.processIdentifier) ?? 0 }
    var peakResidentMegabytes: Double {
        Usage.peakResidentMegabytes(of: process.processIdentifier) ?? 0
    }

    func checkIsRunning() throws {
        if !process.isRunning { throw BenchmarkError.workerDied(log: logTail) }
    }

    /// The end of its log, for a report of what went wrong.
    var logTail: String { String(log.suffix(1000)) }

    private var log: String {
        FileManager.default.contents(atPath: logFile.path).map {
            String(decoding: $0, as: UTF8.self)
        }
            ?? ""
    }

    /// An event as it was logged.
    struct Event: Decodable {
        var time: Date
        var event: String
        var ackSecondsP50: Double?
        var ackSecondsP99: Double?
    }

    /// The first event of that name, once it is logged.
    func wait(for name: String) throws -> Event {
        let deadline = ContinuousClock.now + .seconds(30)
        while true {
            if let event = first(name) { return event }
            if deadline <= .now { throw BenchmarkError.notLogged(event: name, log: logTail) }
            try checkIsRunning()
            try Interruption.sleep(for: .milliseconds(5))
        }
    }

    private func first(_ name: String) -> Event? {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        decoder.dateDecodingStrategy = .custom { decoder in
            let text = try decoder.singleValueContainer().decode(String.self)
            return try Date(text, strategy: .iso8601WithFractions)
        }
        for line in log.split(separator: "\n") where line.contains(#""event":"\#(name)""#) {
            do {
                return try decoder.decode(Event.self, from: Data(line.utf8))
            } catch {
                return nil  // The line that is being written.
            }
        }
        return nil
    }

    func kill() {
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// Lets it drain.
    ///
    /// - Returns: what it says of its deliveries at the end.
    func stop() throws -> Event? {
        Foundation.kill(process.processIdentifier, SIGTERM)
        process.waitUntilExit()
        if process.terminationStatus != 0 { throw BenchmarkError.workerDied(log: logTail) }
        return first("consumer.stopped")
    }
}

extension ParseStrategy where Self == Date.ISO8601FormatStyle {
    /// As the log has its times.
    fileprivate static var iso8601WithFractions: Self { .init(includingFractionalSeconds: true) }
}
