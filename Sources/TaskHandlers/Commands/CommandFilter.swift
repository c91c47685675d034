import TaskRunning

/// A program of this machine through which a handler in Swift sends bytes. Like a command it ends
/// with its worker, and when the run is to stop.
package struct CommandFilter: Sendable {
    package enum Failure: Error, Equatable {
        case notStarted
        /// The run is to stop.
        case stopped
        /// It has written more than is taken.
        case tooMuch
        /// It ended with another status than 0.
        case failed
    }

    private let argv: [String]
    private let program: String

    /// - Parameters:
    ///   - argv: the filter by its absolute path, and what it is given.
    ///   - program: see `CommandHandler`.
    package init(_ argv: [String], program: String = "/proc/self/exe") {
        self.argv = argv
        self.program = program
    }

    /// Blocks the calling thread.
    ///
    /// - Parameters:
    ///   - input: its standard input.
    ///   - limit: most bytes of its standard output.
    package func run(
        _ input: [UInt8],
        limit: Int,
        in context: RunContext
    ) throws(Failure) -> [UInt8] {
        let process: CommandProcess
        do throws(Descriptor.Failure) {
            process = try CommandProcess(
                argv,
                input: input,
                environment: ["LC_ALL": "C.UTF-8"],
                program: program,
                grace: 0
            )
        } catch {
            throw .notStarted
        }
        var output: [UInt8] = []
        let status = CommandRun(process, in: context).end { bytes in
            output += bytes
            return output.count <= limit
        }
        guard let status else { throw .stopped }
        if output.count > limit { throw .tooMuch }
        if status == .exit(126) || status == .exit(127) { throw .notStarted }
        if status != .exit(0) { throw .failed }
        return output
    }
}
