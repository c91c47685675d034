import API
import ArgumentParser
import Concurrency
import ConversationIntake
import CoreMetrics
import Daemon
import HTTPServing
import HostResources
import Logging
import Metering
import PrometheusMetrics
import ServiceLifecycle
import Settings
import TaskAPI
import WorkerHealth

struct APICommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "api",
        abstract: "Take finished conversations and tasks over HTTP, until SIGTERM or SIGINT.",
        discussion: """
            Listens on API_HOST and API_PORT. POST /v1/conversations/end stores a conversation and \
            puts it on the queue; POST /api/v1/tasks does so with a task. Workers score the one \
            and run the other. As many as you like may run side by side. `amity settings` prints \
            every setting.
            """
    )

    func run() async throws {
        let settings = try startAPI()
        let logger = Logger(label: "amity")
        warnOfUnknownNames(logger)
        let registry = PrometheusRegistry(describing: Metric.ofAPI + Metric.scheduling)
        MetricsSystem.bootstrap(registry)
        // Of its own: what only tasks suffer from does not make intake unready.
        let scheduling = SchedulingService(
            settings: settings.worker,
            health: LinkHealth(),
            logger: logger
        )
        // Requests are not held back.
        let resources = ResourceMonitor(
            settings: settings.worker,
            threads: 1,
            health: LinkHealth(),
            logger: logger
        )
        let process = ProcessStatistics(resources, version: amityVersion)
        let (intake, server) = try apiServices(
            settings,
            publishingBy: scheduling,
            health: LinkHealth(),
            logger: logger
        ) {
            process.look()
            return registry.text()
        }
        resources.start()
        try await runUntilSignal([scheduling, intake, server], logger: logger)
    }
}

/// Reads and checks the settings of an API, and turns on logging.
func startAPI() throws -> APISettings {
    var settings = try usable { () throws(SettingsError) in
        try APISettings(SettingValues.load())
    }
    settings.worker.endpoint.beginAnywhere()
    bootstrapLogging(format: settings.worker.logFormat, level: settings.worker.logLevel)
    return settings
}

/// The intake and the service of tasks, begun, and the server in front of them, which stops before
/// them.
///
/// - Parameter metrics: the text for Prometheus, as of now.
func apiServices(
    _ settings: APISettings,
    publishingBy scheduling: SchedulingService,
    health: LinkHealth,
    logger: Logger,
    metrics: @escaping @Sendable () -> String
) throws -> (intake: any Service, server: HTTPServer) {
    let intake = IntakeService(
        database: settings.worker.database,
        endpoint: settings.worker.endpoint,
        topology: settings.worker.topology,
        health: health,
        logger: logger
    )
    do throws(IntakeService.Unfit) {
        try intake.start()
    } catch {
        complain("\(error)")
        throw ExitStatus.configuration
    }
    let tasks = TaskService(
        database: settings.worker.taskDatabase,
        outlet: scheduling.publisher,
        targets: settings.worker.tasks.targets,
        logger: logger
    ) { intake.note($0) }
    tasks.start()
    let server = HTTPServer(
        ServerOptions(
            apiHost: settings.http.host,
            port: settings.http.port,
            token: settings.http.token,
            metricsToken: settings.metricsToken,
            isOwnHost: Loopback.contains
        ),
        api: APIContext(intake: intake, tasks: tasks, metrics: metrics),
        logger: logger
    )
    let limit = settings.worker.drainTimeout
    return (IntakeUntilStop(intake: intake, tasks: tasks, limit: limit), server)
}

/// Ends the services when the server in front of it has answered its last request.
private struct IntakeUntilStop: Service {
    let intake: IntakeService
    let tasks: TaskService
    let limit: Duration

    func run() async throws {
        do {
            try await gracefulShutdown()
        } catch {
            // Cancelled, because the server cannot listen: it ends all the same.
        }
        await withCheckedContinuation { stopped in
            startThread(name: "amity-close", stackBytes: 512 << 10) {
                tasks.stop()
                intake.stop(within: limit)
                stopped.resume()
            }
        }
    }
}
