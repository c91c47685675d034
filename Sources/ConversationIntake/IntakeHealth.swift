import Logging
import Postgres
import Storage
import WorkerHealth

/// What intake suffers from: told to the log once, and to readiness.
struct IntakeHealth: Sendable {
    let links: LinkHealth
    let logger: Logger

    func failed(_ error: PostgresError) {
        links.failed(error.problem, logging: "intake.database-failed", to: logger)
    }

    func databaseWorks() {
        links.works(.database, logging: "intake.database-restored", to: logger)
    }

    var isDatabaseWorking: Bool { !links.reports.contains { $0.problem.link == .database } }

    /// - Parameter isMissing: no queue took it; else the queue refused it.
    func notTaken(_ message: OutboxMessage, isMissing: Bool) {
        let (queue, waits) = (message.routingKey, "its conversations wait in amity_outbox")
        let problem = LinkHealth.Problem(
            link: .publisher,
            subject: queue,
            kind: isMissing ? .missing : .notTaken,
            code: isMissing ? "returned" : "nack",
            text: isMissing
                ? "queue \(queue) is not there; \(waits)"
                : "queue \(queue) takes no message: it is full, or its node is away; \(waits)",
            remedy: isMissing
                ? "amity migrate --topology declares it, where the user may"
                : "look at its length limit (x-max-length, policies), and at the nodes"
        )
        links.failed(problem, logging: "intake.message-not-taken", to: logger)
    }

    func taken(_ message: OutboxMessage) { links.works(.publisher, message.routingKey) }
}
