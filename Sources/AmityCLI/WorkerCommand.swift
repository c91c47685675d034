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

    func run() async throws { try await runWorker { $0.analysis.analyser } }
}

/// - Parameter analyser: chosen when the settings are known.
func runWorker(_ analyser: (WorkerSettings) -> any Analyser) async throws {
    let settings = try start()
    let logger = Logger(label: "amity")
    let group = ServiceGroupConfiguration(
        services: [
            .init(
                service: Worker(
                    settings: settings,
                    analyser: analyser(settings),
                    logger: logger
                ),
                successTerminationBehavior: .gracefullyShutdownGroup
            )
        ],
        gracefulShutdownSignals: [.sigterm, .sigint],
        logger: logger
    )
    try await ServiceGroup(configuration: group).run()
}
