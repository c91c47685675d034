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

    func run() async throws {
        let settings = try await start()
        let logger = Logger(label: "amity")
        var group = ServiceGroupConfiguration(
            services: [
                .init(
                    service: Worker(settings: settings, logger: logger),
                    successTerminationBehavior: .gracefullyShutdownGroup
                )
            ],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger
        )
        // The worker bounds its own drain; this only catches one that is stuck.
        group.maximumGracefulShutdownDuration = settings.drainTimeout + .seconds(10)
        try await ServiceGroup(configuration: group).run()
    }
}
