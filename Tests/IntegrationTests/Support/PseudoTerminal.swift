import Concurrency
import Foundation
import Glibc
import Testing

/// A terminal that the test looks at.
final class PseudoTerminal {
    /// The side that a program is given.
    let handle: FileHandle
    private let screen: Int32
    private let seen = Locked("")

    init() throws {
        var screen: Int32 = -1
        var program: Int32 = -1
        var size = winsize(ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0)
        try #require(openpty(&screen, &program, nil, nil, &size) == 0)
        handle = FileHandle(fileDescriptor: program, closeOnDealloc: true)
        self.screen = screen
        let seen = seen
        startThread(name: "terminal", stackBytes: 1 << 19) { [screen] in
            var buffer = [UInt8](repeating: 0, count: 4096)
            while true {
                let count = read(screen, &buffer, buffer.count)
                if count <= 0 { break }
                let text = String(decoding: buffer.prefix(count), as: UTF8.self)
                seen.withLock { $0 += text }
            }
            close(screen)
        }
    }

    /// Types a line.
    func type(_ line: String) { _ = write(screen, line + "\n", line.utf8.count + 1) }

    /// All that was written to it.
    var output: String { seen.withLock { $0 } }
}

extension Scene {
    /// Starts a command that goes on until it is told to end.
    func start(_ arguments: [String], on terminal: PseudoTerminal) throws -> Process {
        try start(arguments, on: terminal.handle)
    }

    func start(_ arguments: [String], on output: FileHandle) throws -> Process {
        let process = Process()
        process.executableURL = Command.amity
        process.arguments = arguments
        process.environment = Command.inherited.merging(variables) { _, new in new }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        try process.run()
        return process
    }
}
