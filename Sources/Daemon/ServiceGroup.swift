import Logging
import ServiceLifecycle

extension ServiceGroup {
    /// Runs services until SIGTERM or SIGINT, or until one of them ends. They stop in reverse
    /// order: a server that is listed first answers until the others have drained.
    package static func run(_ services: [any Service], logger: Logger) async throws {
        let group = ServiceGroup(
            configuration: .init(
                services: services.map {
                    .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup)
                },
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: logger
            )
        )
        try await group.run()
    }
}
