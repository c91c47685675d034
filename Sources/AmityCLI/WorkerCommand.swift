import ArgumentParser
import Conversations
import CoreMetrics
import Daemon
import Foundation
import HTTPServing
import Logging
import Metering
import OperatorPages
import PrometheusMetrics
import ServiceLifecycle
import Settings
import WorkerHealth

struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Run the daemon: consume, score, settle, until SIGTERM or SIGINT.",
        discussion: SettingsText.help
    )

    @Flag(help: "Serve the API, too, on API_HOST and API_PORT: for a small installation.")
    var api = false

    func run() async throws { try await runWorker(servesAPI: api) }
}

/// - Parameters:
///   - standIn: in the place of the analyser that the settings ask for.
///   - servesAPI: whether the API runs in the same process.
func runWorker(
    analyser standIn: (any Analyser)? = nil,
    servesAPI: Bool = false
) async throws {
    let api = servesAPI ? try startAPI() : nil
    var settings = try api?.worker ?? start()
    if api == nil { settings.endpoint.beginAnywhere() }
    let logger = Logger(label: "amity")
    warnOfUnknownNames(logger)
    // Without a server nothing reads metrics, and none are kept. Made first: instruments come from
    // it.
    let isServed = settings.http != nil || servesAPI
    let registry =
        isServed
        ? PrometheusRegistry(describing: described(settings, servesAPI: servesAPI)) : nil
    if let registry { MetricsSystem.bootstrap(registry) }
    let health = LinkHealth()
    let analyser = standIn ?? settings.analysis.analyser(health: health, logger: logger)
    let worker = Worker(settings: settings, analyser: analyser, health: health, logger: logger)
    // A worker of conversations has none, nor its metrics.
    let scheduling =
        servesAPI || !settings.tasks.pools.isEmpty || !settings.tasks.events.isEmpty
        ? SchedulingService(settings: settings, health: health, logger: logger) : nil
    let tasks = taskService(settings, beside: worker, scheduling, logger: logger)
    var servers: [HTTPServer] = []
    if let registry, let http = settings.http {
        let shown = RouteContext(of: worker, metrics: registry)
        servers.append(HTTPServer(http, showing: shown, logger: logger))
    }
    var services: [any Service] = servers
    if let scheduling { services.append(scheduling) }
    var intake: [any Service] = []
    if let api, let registry, let scheduling {
        try refuseOnePort(for: api)
        let parts = try apiServices(
            api,
            publishingBy: scheduling,
            health: LinkHealth(),
            logger: logger
        ) {
            worker.refreshMetrics()
            return registry.text()
        }
        servers.append(parts.server)
        intake = [parts.intake, parts.server]
    }
    services.append(WorkerBesideServers(worker: worker, tasks: tasks, servers: servers))
    // Stopped first: what it takes is still scored.
    try await runUntilSignal(services + intake, logger: logger)
}

private func described(_ settings: WorkerSettings, servesAPI: Bool) -> [Metric] {
    Metric.ofWorkers + (settings.tasks.pools.isEmpty ? [] : Metric.taskRuns)
        + (settings.tasks.pools.isEmpty && settings.tasks.events.isEmpty && !servesAPI
            ? [] : Metric.scheduling)
        + (servesAPI ? Metric.ofAPI : [])
}

/// - Returns: nil where the worker runs no tasks.
private func taskService(
    _ settings: WorkerSettings,
    beside worker: Worker,
    _ scheduling: SchedulingService?,
    logger: Logger
) -> TaskWorkerService? {
    guard let scheduling, !settings.tasks.pools.isEmpty else { return nil }
    let service = TaskWorkerService(
        settings: settings,
        handlers: settings.tasks.handlers(
            environment: ProcessInfo.processInfo.environment
        ),
        outlet: scheduling.publisher,
        consumption: worker.consumption,
        readiness: worker.readiness,
        health: worker.health,
        resources: worker.resources,
        logger: logger
    )
    worker.alsoRefresh(service.refreshMetrics)
    worker.alsoWatch(service.pulse)
    return service
}

/// One process, two servers.
private func refuseOnePort(for api: APISettings) throws {
    guard let own = api.worker.http, own.port == api.http.port else { return }
    complain("the settings are not usable:")
    complain("  API_PORT: it is \(own.port), as HTTP_PORT is; give each a port of its own")
    throw ExitStatus.configuration
}

func warnOfUnknownNames(_ logger: Logger) {
    for unknown in Variables.load().unknownNames {
        logger.warning(
            "settings.unknown-name",
            metadata: ["name": "\(unknown.name)", "likely": "\(unknown.likely)"]
        )
    }
}

/// Runs services until SIGTERM or SIGINT, or until one of them ends.
func runUntilSignal(_ services: [any Service], logger: Logger) async throws {
    do {
        try await ServiceGroup.run(services, logger: logger)
    } catch let error as HTTPServerError {
        complain("\(error)")
        throw ExitStatus.unavailable
    } catch let error as TaskWorkerService.ThreadsLost {
        complain("\(error)")
        throw ExitStatus.software
    }
}

/// A worker that begins only when its servers listen: a worker that no client can observe would go
/// unnoticed, and one that has begun ends by a signal alone.
private struct WorkerBesideServers: Service {
    let worker: Worker
    let tasks: TaskWorkerService?
    let servers: [HTTPServer]

    func run() async throws {
        for server in servers {
            if await !server.waitUntilListening() { return }
        }
        try await withThrowingTaskGroup { group in
            // Both drain side by side: each is told of a shutdown.
            group.addTask { try await worker.run() }
            if let tasks { group.addTask { try await tasks.run() } }
            try await group.waitForAll()
        }
    }
}
