import Logging
import Postgres
import Storage
import WorkerHealth

/// What the publisher and the scheduler suffer from: told to the log when it changes, and to
/// readiness.
struct SchedulingHealth: Sendable {
    let links: LinkHealth
    let logger: Logger

    /// A part of the link of its own: other components know better whether the database works for
    /// them.
    private static let subject = "tasks"

    func failed(_ error: PostgresError) {
        var problem = error.problem
        problem.subject = Self.subject
        links.failed(problem, logging: "scheduler.database-failed", to: logger)
    }

    func databaseWorks() {
        links.works(
            .database,
            Self.subject,
            logging: "scheduler.database-restored",
            to: logger
        )
    }

    /// - Parameter reason: why the queue could not be declared; nil where it could, and was missing
    ///   again.
    func isMissing(_ queue: String, because reason: String?) {
        links.failed(
            LinkHealth.Problem(
                link: .publisher,
                subject: queue,
                kind: .missing,
                code: "returned",
                text: "queue \(queue) is not there (\(reason ?? "although it was just declared"))"
                    + "; its tasks wait in amity_tasks",
                remedy: "amity migrate --topology declares it, where the user may"
            ),
            logging: "scheduler.queue-set-aside",
            to: logger
        )
    }

    func isRefusing(_ queue: String) {
        links.failed(
            LinkHealth.Problem(
                link: .publisher,
                subject: queue,
                kind: .notTaken,
                code: "nack",
                text: "queue \(queue) takes no message: it is full, or its node is away; its tasks "
                    + "wait in amity_tasks",
                remedy: "look at its length limit (x-max-length, policies), and at the nodes"
            ),
            logging: "scheduler.message-not-taken",
            to: logger
        )
    }

    func takes(_ queue: String) { links.works(.publisher, queue) }
}
