import Logging
import Postgres
import Storage
import WorkerHealth

/// What intake suffers from: told to the log once, and to readiness.
struct IntakeHealth: Sendable {
    let links: LinkHealth
    let logger: Logger

    func failed(_ error: PostgresError) {
        note(error.problem, "intake.database-failed")
    }

    func databaseWorks() {
        if let lasted = links.works(.database) {
            logger.notice(
                "intake.database-restored",
                metadata: ["seconds": .stringConvertible(lasted / .seconds(1))]
            )
        }
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
        note(problem, "intake.message-not-taken")
    }

    func taken(_ message: OutboxMessage) { links.works(.publisher, message.routingKey) }

    private func note(_ problem: LinkHealth.Problem, _ event: Logger.Message) {
        var metadata: Logger.Metadata = ["error": "\(problem.text)"]
        metadata["remedy"] = problem.remedy.map { "\($0)" }
        let notice = links.failed(problem)
        logger.log(level: notice.isLogged ? .error : .debug, event, metadata: metadata)
    }
}
