import Glibc
import TaskRunning
import Tasks

/// Runs tasks of a type by a command of the worker's own file: the payload is its standard input,
/// and what it writes is read as `CommandOutput` says. Nothing that it starts outlives the run.
package struct CommandHandler: RunHandler {
    package let needsToken = false

    private let command: CommandsFile.Command
    private let environment: [String: String]
    private let program: String
    private let grace: Int

    /// What a command has of the worker's environment: that holds secrets, too.
    private static let inherited = [
        "HOME", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ", "USER",
    ]

    /// - Parameters:
    ///   - environment: the worker's.
    ///   - program: the path of a program that begins with `CommandRunner.runIfAsked`: this one,
    ///     even where its file has been replaced.
    ///   - grace: seconds between SIGTERM and SIGKILL.
    package init(
        _ command: CommandsFile.Command,
        environment: [String: String],
        program: String = "/proc/self/exe",
        grace: Int = 10
    ) {
        self.command = command
        self.environment =
            environment
            .filter { Self.inherited.contains($0.key) }
            .merging(command.environment) { _, own in own }
        self.program = program
        self.grace = grace
    }

    package func run(_ task: ClaimedTask, in context: RunContext) -> RunEnd {
        let ofTask = [
            "AMITY_TASK_ID": task.id.text, "AMITY_TASK_TYPE": task.type,
            "AMITY_TASK_RUN": "\(task.run)", "AMITY_TASK_ATTEMPT": "\(task.attempt)",
        ]
        do throws(Descriptor.Failure) {
            let process = try CommandProcess(
                command.argv,
                input: Array(task.payload.utf8),
                environment: environment.merging(ofTask) { _, new in new },
                program: program,
                grace: grace
            )
            return Self.end(of: process, in: context)
        } catch {
            let message = "the command was not started: \(String(cString: strerror(error.number)))"
            return .failed(.commandNotStarted, message, retries: true)
        }
    }

    private static func end(of process: CommandProcess, in context: RunContext) -> RunEnd {
        var output = CommandOutput()
        var refusal: CommandOutput.Refusal?
        func pass(
            _ read: (inout CommandOutput) throws(CommandOutput.Refusal) -> [CommandOutput.Report]
        ) -> Bool {
            do throws(CommandOutput.Refusal) {
                for report in try read(&output) {
                    context.report(progress: report.percent, note: report.note)
                }
                return true
            } catch {
                refusal = error
                return false
            }
        }
        let run = CommandRun(process, in: context)
        let status = run.end { bytes in
            pass { output throws(CommandOutput.Refusal) in try output.take(bytes) }
        }
        guard let status else { return .stopped }
        if refusal == nil {
            _ = pass { output throws(CommandOutput.Refusal) in try output.finish() }
        }
        if let refusal { return refusal.runEnd }
        return CommandEnd(status: status, last: output.last, errorBytes: run.errorBytes).runEnd
    }
}
