// The command line: arguments in, exit codes out. What the commands do is in the Amity room.

import AMQP
import ArgumentParser
import Foundation
import SafeText
import Settings
import Storage
import TaskHandlers
import WorkerHealth

@main
enum Program {
    static func main() async {
        // Before all else: each run of a command waits for it.
        CommandRunner.runIfAsked()
        TransportSecurity.keepAllUntilTheEnd()
        await run()
    }

    /// Not on the main thread: that one takes the signals, also where the process was started with
    /// all of them blocked.
    private static func run() async {
        do {
            var command = try AmityCommand.parseAsRoot()
            do {
                if var command = command as? any AsyncParsableCommand {
                    try await command.run()
                } else {
                    try command.run()
                }
            } catch let error as ValidationError {
                complain(error, in: type(of: command))
                throw ExitCode.validationFailure
            }
        } catch {
            AmityCommand.exit(withError: error)
        }
    }

    /// Of a mistake that only a run finds, the library would show the usage of `amity`.
    private static func complain(_ error: ValidationError, in command: any ParsableCommand.Type) {
        let usage = AmityCommand.usageString(for: command)
        writeToStandardError("Error: \(error.message.printable)\nUsage: \(usage)\n")
    }
}

struct AmityCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "amity",
        abstract: "Scores finished conversations from a RabbitMQ queue into PostgreSQL.",
        version: amityVersion,
        subcommands: [
            WorkerCommand.self, APICommand.self, Migrate.self, Publish.self, DeadLetters.self,
            Explain.self, Status.self, Health.self, DoctorCommand.self, ShowSettings.self,
            TasksCommand.self, SchedulesCommand.self, TypesCommand.self, LimitsCommand.self,
            BatchesCommand.self, CallbacksCommand.self, LocksCommand.self, EventsCommand.self,
            TokensCommand.self, BenchCommand.self, TuneCommand.self, BenchWorker.self,
        ]
    )
}

/// Exit codes as sysexits.h has them, so that a service manager can tell them apart.
enum ExitStatus {
    /// The broker or the database could not be used.
    static let unavailable = ExitCode(69)
    /// It cannot go on in this process; another one can.
    static let software = ExitCode(70)
    /// The settings are not usable: starting again will not help.
    static let configuration = ExitCode(78)
}

/// Reads and checks the settings, and turns on logging.
func start() throws -> WorkerSettings {
    let settings = try usable { () throws(SettingsError) in
        try WorkerSettings(SettingValues.load())
    }
    bootstrapLogging(format: settings.logFormat, level: settings.logLevel)
    return settings
}

/// Says what is wrong with settings that are not usable.
func usable<R>(_ read: () throws(SettingsError) -> R) throws -> R {
    do throws(SettingsError) {
        return try read()
    } catch {
        complain("the settings are not usable:")
        for mistake in error.mistakes { complain("  \(mistake)") }
        throw ExitStatus.configuration
    }
}

/// Runs what needs the broker or the database, and says in one line why it could not.
func reportingFailure<R>(_ body: () async throws -> R) async throws -> R {
    do {
        return try await body()
    } catch let error as ExitCode {
        throw error
    } catch {
        let remedy = LinkHealth.Problem(of: error)?.remedy
        complain("\(error)" + (remedy.map { "; \($0)" } ?? ""))
        throw ExitStatus.unavailable
    }
}

/// Writes one line to standard error.
func complain(_ text: String) {
    writeToStandardError("amity: \(text.printable)\n")
}
