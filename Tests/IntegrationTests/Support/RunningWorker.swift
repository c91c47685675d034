import Foundation
import Testing

/// One `amity worker` process, or another that runs until it is stopped, and what it logs.
final class RunningWorker {
    private let process = Process()
    private let logFile: TemporaryFile
    /// Kept for as long as the worker needs them.
    private let proxies: [Proxy]

    /// - Parameters:
    ///   - program: amity, or a worker that was built with its library.
    ///   - command: of amity.
    ///   - proxies: through which it reaches its servers.
    ///   - launcher: a program, with its arguments, that starts it.
    ///   - log: where it logs instead of where the test can read it.
    init(
        _ command: [String] = ["worker"],
        of program: URL = Command.amity,
        environment: [String: String],
        through proxies: [Proxy] = [],
        below launcher: [String] = [],
        log: FileHandle? = nil
    ) throws {
        self.proxies = proxies
        logFile = try TemporaryFile()
        let words = launcher + [program.path] + command
        process.executableURL = URL(fileURLWithPath: words[0])
        process.arguments = Array(words.dropFirst())
        process.environment = Command.inherited.merging(environment) { _, new in new }
        process.standardError = log ?? logFile.handle
        process.standardOutput = log ?? logFile.handle
        try process.run()
    }

    deinit {
        if getenv("DUMP_LOG") != nil { print(log.suffix(6000)) }
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
    }

    var log: String { logFile.content }

    /// Events of one name, as logged so far.
    func events(_ name: String) -> [[String: Any]] { events([name]) }

    /// Events of several names, in the order in which they were logged.
    func events(_ names: Set<String>) -> [[String: Any]] {
        log.split(separator: "\n").compactMap { line in
            do {
                return try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            } catch {
                return nil  // The line that is being written.
            }
        }.filter { ($0["event"] as? String).map(names.contains) ?? false }
    }

    func waitUntilConsuming() throws {
        try eventually("the worker consumes") { !events("consumer.started").isEmpty }
    }

    /// Waits for its session of that number, 1 for the first; not longer than is promised after a
    /// fault of the broker.
    func resumes(session: Int, sourceLocation: SourceLocation = #_sourceLocation) throws {
        try eventually(
            "the worker consumes again",
            within: .seconds(30),
            sourceLocation: sourceLocation
        ) { events("consumer.started").count >= session }
    }

    /// The process that a launcher has started.
    func childID() throws -> Int32 {
        let task = "/proc/\(processID)/task/\(processID)/children"
        let children = try String(contentsOfFile: task, encoding: .utf8)
        return try #require(children.split(separator: " ").first.flatMap { Int32($0) })
    }

    var processID: Int32 { process.processIdentifier }
    var isRunning: Bool { process.isRunning }

    func signal(_ signal: Int32) {
        kill(process.processIdentifier, signal)
    }

    /// Waits for the end of the process.
    ///
    /// - Returns: its exit code, or the number of the signal that killed it.
    func waitForExit() throws -> Int32 {
        try eventually("the worker ends") { !process.isRunning }
        return process.terminationStatus
    }
}
