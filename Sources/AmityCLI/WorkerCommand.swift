import ArgumentParser
import Conversations
import CoreMetrics
import Daemon
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

    func run() async throws { try await runWorker() }
}

/// - Parameter standIn: in the place of the analyser that the settings ask for.
func runWorker(analyser standIn: (any Analyser)? = nil) async throws {
    let settings = try start()
    let logger = Logger(label: "amity")
    for unknown in Variables.load().unknownNames {
        logger.warning(
            "settings.unknown-name",
            metadata: ["name": "\(unknown.name)", "likely": "\(unknown.likely)"]
        )
    }
    // Without a server nothing reads metrics, and none are kept. Made first: instruments come from
    // it.
    let registry = settings.http.map { _ in PrometheusRegistry(describing: Metric.all) }
    if let registry { MetricsSystem.bootstrap(registry) }
    let health = LinkHealth()
    let analyser = standIn ?? settings.analysis.analyser(health: health, logger: logger)
    let worker = Worker(settings: settings, analyser: analyser, health: health, logger: logger)
    var services: [any Service] = [worker]
    if let registry, let http = settings.http {
        let shown = RouteContext(of: worker, metrics: registry)
        let server = HTTPServer(http, showing: shown, logger: logger)
        services = [server, WorkerBesideServer(worker: worker, server: server)]
    }
    let group = ServiceGroup(
        configuration: .init(
            // Services stop in reverse order: the server answers until the worker has drained.
            services: services.map {
                .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup)
            },
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger
        )
    )
    do {
        try await group.run()
    } catch let error as HTTPServerError {
        complain("\(error)")
        throw ExitStatus.unavailable
    }
}

/// A worker that begins only when its server listens: a worker that no client can observe would go
/// unnoticed.
private struct WorkerBesideServer: Service {
    let worker: Worker
    let server: HTTPServer

    func run() async throws {
        if await server.waitUntilListening() { try await worker.run() }
    }
}
