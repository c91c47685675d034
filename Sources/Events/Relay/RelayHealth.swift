import AMQP
import Logging
import Postgres
import WorkerHealth

/// Tells of what keeps events from being sent.
struct RelayHealth: Sendable {
    private static let subject = "events"

    let links: LinkHealth
    let logger: Logger

    func databaseWorks() {
        links.works(.database, Self.subject, logging: "events.database-restored", to: logger)
    }

    func failed(_ error: PostgresError) {
        var problem = error.problem
        problem.subject = Self.subject
        links.failed(problem, logging: "events.database-failed", to: logger)
    }

    func failed(_ error: AMQPError) {
        var problem = error.problem(of: .publisher, Self.subject)
        problem.remedy = problem.remedy ?? "events wait in amity_outbox meanwhile"
        links.failed(problem, logging: "events.broker-failed", to: logger)
    }

    private func brokerWorks() {
        links.works(.publisher, Self.subject, logging: "events.broker-restored", to: logger)
    }

    /// Where a process does not lead, or has nothing to send.
    func forget() {
        databaseWorks()
        brokerWorks()
    }

    /// Of a broker that answers.
    ///
    /// - Parameters:
    ///   - alarm: why it takes nothing; nil where it does.
    ///   - hasRefused: whether a bound queue has refused an event that it has not taken since.
    ///   - isSlow: whether one has not confirmed an event for long.
    func note(alarm: String?, hasRefused: Bool, isSlow: Bool) {
        let problem: (kind: LinkHealth.Kind, code: String, text: String, remedy: String)
        if let alarm {
            problem = (
                .blocked, "alarm", "the broker takes no events: \(alarm)",
                "free memory or disk on the broker's nodes: rabbitmq-diagnostics alarms"
            )
        } else if hasRefused {
            problem = (
                .notTaken, "nack",
                "a queue bound to \(EventTopics.exchange) refuses events: it is full, or its node "
                    + "is away; they wait in amity_outbox",
                "have it drop its oldest (x-overflow: drop-head), or unbind it"
            )
        } else if isSlow {
            problem = (
                .notTaken, "unconfirmed",
                "a queue bound to \(EventTopics.exchange) does not confirm events; they wait in "
                    + "amity_outbox",
                "have most of its nodes back: rabbitmq-queues quorum_status; or unbind it"
            )
        } else {
            return brokerWorks()
        }
        links.failed(
            LinkHealth.Problem(
                link: .publisher,
                subject: Self.subject,
                kind: problem.kind,
                code: problem.code,
                text: problem.text,
                remedy: problem.remedy
            ),
            logging: "events.not-taken",
            to: logger
        )
    }
}
