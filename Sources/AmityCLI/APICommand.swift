import API
import ArgumentParser
import Concurrency
import ConversationIntake
import CoreMetrics
import HTTPServing
import Logging
import Metering
import PrometheusMetrics
import ServiceLifecycle
import Settings
import WorkerHealth

struct APICommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "api",
        abstract: "Take finished conversations over HTTP, until SIGTERM or SIGINT.",
        discussion: """
            Listens on API_HOST and API_PORT. POST /v1/conversations/end stores a conversation and \
            puts it on the queue; workers score it. As many as you like may run side by side. \
            `amity settings` prints every setting.
            """
    )

    func run() async throws {
        let settings = try startAPI()
        let logger = Logger(label: "amity")
        warnOfUnknownNames(logger)
        let registry = PrometheusRegistry(describing: Metric.intake)
        MetricsSystem.bootstrap(registry)
        let (intake, server) = try apiServices(settings, metrics: registry, logger: logger)
        try await runUntilSignal([intake, server], logger: logger)
    }
}

/// Reads and checks the settings of an API, and turns on logging.
func startAPI() throws -> APISettings {
    let settings = try usable { () throws(SettingsError) in
        try APISettings(SettingValues.load())
    }
    bootstrapLogging(format: settings.worker.logFormat, level: settings.worker.logLevel)
    return settings
}

/// The intake, begun, and the server in front of it, which stops before it.
func apiServices(
    _ settings: APISettings,
    metrics registry: PrometheusRegistry,
    logger: Logger
) throws -> (intake: any Service, server: HTTPServer) {
    let intake = IntakeService(
        database: settings.worker.database,
        endpoint: settings.worker.endpoint,
        topology: settings.worker.topology,
        health: LinkHealth(),
        logger: logger
    )
    do throws(IntakeService.Unfit) {
        try intake.start()
    } catch {
        complain("\(error)")
        throw ExitStatus.configuration
    }
    let server = HTTPServer(
        ServerOptions(
            apiHost: settings.http.host,
            port: settings.http.port,
            token: settings.http.token,
            isOwnHost: Loopback.contains
        ),
        api: APIContext(intake: intake) { registry.text() },
        logger: logger
    )
    return (IntakeUntilStop(intake: intake, limit: settings.worker.drainTimeout), server)
}

/// Ends the intake when the server in front of it has answered its last request.
private struct IntakeUntilStop: Service {
    let intake: IntakeService
    let limit: Duration

    func run() async throws {
        do {
            try await gracefulShutdown()
        } catch {
            // Cancelled, because the server cannot listen: it ends all the same.
        }
        await withCheckedContinuation { stopped in
            startThread(name: "amity-close", stackBytes: 512 << 10) {
                intake.stop(within: limit)
                stopped.resume()
            }
        }
    }
}
