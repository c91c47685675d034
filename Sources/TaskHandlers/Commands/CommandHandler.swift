import Concurrency
import Glibc
import TaskRunning
import Tasks

/// Runs tasks of a type by a command of the worker's own file: the payload is its standard input,
/// and what it writes is read as `CommandOutput` says. Nothing that it starts outlives the run.
package struct CommandHandler: RunHandler {
    package let isInProcess = false
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
                input: task.payload,
                environment: environment.merging(ofTask) { _, new in new },
                program: program,
                grace: grace
            )
            return CommandRun(process, in: context).end()
        } catch {
            let message = "the command was not started: \(String(cString: strerror(error.number)))"
            return .failed(.commandNotStarted, message, retries: true)
        }
    }
}

/// Follows a command to its end: reads what it writes, and passes on that it is to stop.
private final class CommandRun {
    private let process: CommandProcess
    private let context: RunContext
    private let bell = EventBell()
    private var output = CommandOutput()
    private var refusal: CommandOutput.Refusal?
    private var errorBytes = 0
    private var isStopped = false
    /// Those that have not come to their end.
    private var open: [Descriptor]
    private var buffer = [UInt8](repeating: 0, count: 64 << 10)

    /// A run that is asked to stop may be fenced off after that, which no bell tells.
    private static let look = Duration.milliseconds(200)

    init(_ process: CommandProcess, in context: RunContext) {
        self.process = process
        self.context = context
        open = [process.output, process.errors]
    }

    func end() -> RunEnd {
        context.onStop { [bell] _ in bell.ring() }
        while !waitForEnd() {
            read()
            stopIfAsked()
        }
        // Nothing writes any more.
        read()
        if refusal == nil { finish() }
        let status = process.status()
        if isStopped { return .stopped }
        if let refusal { return refusal.runEnd }
        return CommandEnd(status: status, last: output.last, errorBytes: errorBytes).runEnd
    }

    /// Sleeps until there is something to do.
    ///
    /// - Returns: whether the command has ended.
    private func waitForEnd() -> Bool {
        let numbers = [process.ended.number, bell.descriptor] + open.map(\.number)
        var descriptors = numbers.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        let pause = isStopped ? Int32(Self.look / .milliseconds(1)) : -1
        _ = poll(&descriptors, nfds_t(descriptors.count), pause)
        if descriptors[1].revents != 0 { bell.silence() }
        return descriptors[0].revents != 0
    }

    private func stopIfAsked() {
        guard let reason = context.stopReason else { return }
        isStopped = true
        switch reason {
        case .cancelled, .timedOut: process.terminate()
        case .drained, .fenced: process.kill()
        }
    }

    private func read() {
        open.removeAll { descriptor in
            while true {
                switch descriptor.read(into: &buffer) {
                case .bytes(let bytes): take(bytes, from: descriptor)
                case .nothingYet: return false
                case .end: return true
                }
            }
        }
    }

    private func take(_ bytes: ArraySlice<UInt8>, from descriptor: Descriptor) {
        if descriptor === process.errors {
            errorBytes += bytes.count
        } else if refusal == nil {
            passOn { output throws(CommandOutput.Refusal) in try output.take(bytes) }
        }
    }

    private func finish() {
        passOn { output throws(CommandOutput.Refusal) in try output.finish() }
    }

    private func passOn(
        _ read: (inout CommandOutput) throws(CommandOutput.Refusal) -> [CommandOutput.Report]
    ) {
        do throws(CommandOutput.Refusal) {
            for report in try read(&output) {
                context.report(progress: report.percent, note: report.note)
            }
        } catch {
            refusal = error
            process.kill()
        }
    }
}
