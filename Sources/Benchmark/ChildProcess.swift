import Foundation

/// Runs programs to their end; an interruption ends them early.
enum ChildProcess {
    /// - Parameter environment: all of it; nothing is inherited.
    /// - Returns: what the program printed.
    static func run(
        _ program: URL,
        _ arguments: [String],
        environment: [String: String],
        in folder: URL
    ) throws -> String {
        let output = folder.appending(path: "\(program.lastPathComponent).out")
        let errors = folder.appending(path: "\(program.lastPathComponent).err")
        let process = Process()
        process.executableURL = program
        process.arguments = arguments
        process.environment = environment
        process.currentDirectoryURL = folder
        process.standardOutput = try emptyFile(at: output)
        process.standardError = try emptyFile(at: errors)
        try process.run()
        do {
            while process.isRunning { try Interruption.sleep(for: .milliseconds(10)) }
        } catch {
            process.terminate()
            process.waitUntilExit()
            throw error
        }
        guard process.terminationStatus == 0 else {
            throw BenchmarkError.failed(
                program: program.lastPathComponent,
                status: process.terminationStatus,
                said: String(try String(contentsOf: errors, encoding: .utf8).suffix(2000))
            )
        }
        return try String(contentsOf: output, encoding: .utf8)
    }

    static func emptyFile(at url: URL) throws -> FileHandle {
        try Data().write(to: url)
        return try FileHandle(forWritingTo: url)
    }
}
