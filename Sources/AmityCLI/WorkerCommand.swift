import Amity
import ArgumentParser
import Logging
import ServiceLifecycle

struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Run the daemon: consume, score, settle, until SIGTERM or SIGINT.",
        discussion: SettingsText.help
    )

    func run() async throws { try await runWorker() }
}

/// - Parameter standIn: in the place of the analyser that the settings ask for.
func runWorker(analyser standIn: (any Analyser)? = nil) async throws {
    let settings = try start()
    let logger = Logger(label: "amity")
    let analyser = standIn ?? settings.analysis.analyser(logger: logger)
    let group = ServiceGroupConfiguration(
        services: [
            .init(
                service: Worker(settings: settings, analyser: analyser, logger: logger),
                successTerminationBehavior: .gracefullyShutdownGroup
            )
        ],
        gracefulShutdownSignals: [.sigterm, .sigint],
        logger: logger
    )
    try await ServiceGroup(configuration: group).run()
}
