// AmityWorker: the library for workers in Swift. A package writes handlers of tasks, and runs them
// with the same claim, lease, drain and settings as `amity worker` has.
//
// It is the one module with a public interface; everything else is reached through it.
import AMQP
import Concurrency
import Consuming
import CoreMetrics
import Daemon
import Foundation
import HTTPServing
import HostResources
import Logging
import Metering
import PrometheusMetrics
import ServiceLifecycle
import Settings
import TaskHandlers
import TaskRunning
import TaskTypes
import WorkerHealth

/// A worker for tasks, with handlers of your own.
///
/// All of a program's main file:
///
///     await AmityWorker.run(Thumbnail())
public enum AmityWorker {
    /// Runs tasks until SIGTERM or SIGINT, then lets what runs finish for as long as
    /// `DRAIN_TIMEOUT_SECONDS` says, and returns.
    ///
    /// Call it once, and before anything else: a command of `TASK_COMMANDS` begins as this program,
    /// too. It sets up logging (swift-log) and metrics (swift-metrics) for the whole process.
    ///
    /// The settings are those of `amity worker`, from the environment and `.env`: `RABBITMQ_URL`,
    /// `DATABASE_URL`, `TASK_QUEUES` (here `default` where it is not set), `TASK_CONCURRENCY` (so
    /// many tasks run at once), `DRAIN_TIMEOUT_SECONDS` and others; `amity settings` prints them
    /// all. Health and metrics are served on `HTTP_HOST` and `HTTP_PORT`.
    ///
    /// It ends the process, after a line on standard error, with status
    ///
    /// - 78 where settings are not usable, a type is no name or begins with `amity.`, or two
    ///   handlers have the same;
    /// - 69 where the port is taken;
    /// - 70 where as many threads as it has were lost to handlers that did not return.
    ///
    /// A broker or a database that is away ends nothing: it is waited for.
    ///
    /// - Parameter handlers: one for each type. The types have to be known to the API, too: see
    ///   `amity types apply`. One with the name of a built-in type (`test`, `benchmark`) takes its
    ///   place.
    public static func run(_ handlers: any TaskHandler...) async {
        await run(handlers: handlers)
    }

    /// Runs tasks until SIGTERM or SIGINT, as the other form does, with an array of handlers.
    public static func run(handlers: [any TaskHandler]) async {
        // A command of TASK_COMMANDS begins as this program.
        CommandRunner.runIfAsked()
        TransportSecurity.keepAllUntilTheEnd()
        let names = handlers.map { type(of: $0).type }
        if let wrong = names.first(where: { !TaskType.isName($0) }) {
            quit(78, "\(wrong) is no type: one \(TaskType.nameRule)")
        }
        if let own = names.first(where: { $0.hasPrefix(TaskType.ownPrefix) }) {
            quit(78, "\(own) begins with \(TaskType.ownPrefix), as only built-in types do")
        }
        if let double = names.first(where: { name in names.count { $0 == name } > 1 }) {
            quit(78, "two handlers have the type \(double): give each its own")
        }
        var settings: WorkerSettings
        do throws(SettingsError) {
            settings = try WorkerSettings(SettingValues.load())
        } catch {
            quit(78, "\(error)")
        }
        if settings.tasks.pools.isEmpty { settings.tasks.pools = ["default"] }
        bootstrapLogging(format: settings.logFormat, level: settings.logLevel)
        do {
            try await serve(handlers, settings)
        } catch let error as HTTPServerError {
            quit(69, "\(error)")
        } catch {
            quit(70, "\(error)")
        }
    }

    private static func serve(
        _ handlers: [any TaskHandler],
        _ settings: WorkerSettings
    ) async throws {
        let logger = Logger(label: "amity")
        let registry = PrometheusRegistry(
            describing: Metric.taskRuns + Metric.scheduling + Metric.process
        )
        MetricsSystem.bootstrap(registry)
        let health = LinkHealth()
        let resources = ResourceMonitor(settings: settings, health: health, logger: logger)
        let process = ProcessStatistics(resources, version: amityVersion)
        let readiness = Readiness(logger: logger)
        let scheduling = SchedulingService(settings: settings, health: health, logger: logger)
        let own = handlers.map { ($0.typeName, wrap($0)) }
        let tasks = TaskWorkerService(
            settings: settings,
            handlers: settings.tasks.handlers(
                own: Dictionary(uniqueKeysWithValues: own),
                environment: ProcessInfo.processInfo.environment
            ),
            outlet: scheduling.publisher,
            consumption: Consumption(),
            readiness: readiness,
            health: health,
            resources: resources,
            logger: logger
        )
        resources.start()
        // What a worker without conversations does not wait for.
        readiness.set(.notConsuming, false)
        readiness.set(.databaseUnknown, false)
        var services: [any Service] = [scheduling, tasks]
        if let http = settings.http {
            let pages = HealthPages(readiness: readiness, health: health) {
                process.look()
                tasks.refreshMetrics()
                return registry.text()
            }
            services.insert(HTTPServer(http, showing: pages, logger: logger), at: 0)
        }
        try await ServiceGroup.run(services, logger: logger)
    }

    private static func wrap(_ handler: some TaskHandler) -> any RunHandler {
        TypedHandler(handler: handler)
    }

    private static func quit(_ status: Int32, _ text: String) -> Never {
        writeToStandardError(text + "\n")
        exit(status)
    }
}

extension TaskHandler {
    fileprivate var typeName: String { Self.type }
}
