import AMQP
import Concurrency
import CoreMetrics
import Failpoints
import Logging
import Messaging
import Metering
import Postgres
import Storage
import WorkerHealth

/// Sends the events of the outbox, oldest first, and deletes those that the broker has confirmed.
///
/// Of all processes the one that leads does it, whether it writes events itself or not. It holds
/// the rows while it sends them, so a second leader waits, or finds them gone. One that dies
/// between the confirm and the commit leaves them to the next: they come twice, with the same ids,
/// and for one subject still in order.
package final class EventRelay: Sendable {
    private let database: ConnectionTarget
    private let endpoint: Endpoint
    private let interval: Duration
    private let health: LinkHealth
    private let logger: Logger
    private let sent: [Bool: Counter]
    private let waiting = Metric.eventsWaiting.gauge()
    private let age = Metric.eventsAge.gauge()

    /// Most rows that one transaction sends. Chosen: some ten milliseconds.
    private static let batch = 500
    /// Between two looks: where events are written, as far as this process knows, and where not.
    private static let (often, seldom) = (Duration.milliseconds(200), Duration.seconds(5))
    /// A transaction may idle for two seconds; then its rows are free, and another leader may send
    /// them. So nothing is sent later than this, and no confirm is waited for longer. Chosen.
    private static let (sending, answering) = (Duration.seconds(1), Duration.milliseconds(1600))
    /// After a failure. Chosen.
    private static let rest = Duration.seconds(1)
    /// Between two measurements of what waits. Chosen.
    private static let measuring = Duration.seconds(5)

    /// - Parameters:
    ///   - isOn: whether this process writes events.
    ///   - health: told of what does not work.
    package init(
        database: ConnectionTarget,
        endpoint: Endpoint,
        isOn: Bool,
        health: LinkHealth,
        logger: Logger
    ) {
        var database = database
        // It moves no task.
        database.localSetting = nil
        self.database = database
        self.endpoint = endpoint.named("amity events")
        interval = isOn ? Self.often : Self.seldom
        self.health = health
        self.logger = logger
        sent = [
            true: Metric.eventsSent.counter("confirmed"),
            false: Metric.eventsSent.counter("refused"),
        ]
    }

    /// Blocks the calling thread, which needs `Publisher.stackBytes` of stack.
    ///
    /// - Parameter isLeading: whether this process leads, as far as is known now.
    package func run(until drain: DrainSignal, isLeading: () -> Bool) {
        var links = Links()
        while !drain.isRaised {
            guard isLeading() else {
                links = Links()
                waiting.record(0)
                age.record(0)
                _ = drain.wait(atMost: Self.rest, until: isLeading)
                continue
            }
            let begin = ContinuousClock.now
            let hasMore = turn(&links, until: drain, isLeading)
            let pause = hasMore.map { $0 ? .zero : interval } ?? Self.rest
            drain.wait(for: ContinuousClock.now.duration(to: begin + pause))
        }
        links.close()
    }

    /// What one thread holds open; nil for what is not there yet, or has failed.
    private struct Links: ~Copyable {
        var session: Session?
        var publisher: ExchangePublisher?
        /// Which of the endpoint's hosts is next.
        var attempt = 0
        var measuredAt: ContinuousClock.Instant?

        mutating func close() {
            do throws(AMQPError) {
                try publisher?.close()
            } catch {
                // It is gone all the same.
            }
            publisher = nil
        }
    }

    /// - Returns: whether there is more to send; nil where something does not work.
    private func turn(
        _ links: inout Links,
        until drain: DrainSignal,
        _ isLeading: () -> Bool
    ) -> Bool? {
        do throws(PostgresError) {
            if links.session == nil {
                links.session = try Session(
                    to: database,
                    applicationName: "amity events",
                    statementTimeout: .seconds(5)
                )
            }
            let hasMore = try sendNext(&links, until: drain, isLeading)
            health.works(.database, Self.subject, logging: "events.database-restored", to: logger)
            return hasMore
        } catch {
            links.session = nil
            // The leader before this one still holds the rows.
            if error.kind == .conflict { return false }
            var problem = error.problem
            problem.subject = Self.subject
            health.failed(problem, logging: "events.database-failed", to: logger)
            return nil
        }
    }

    private static let subject = "events"

    private func sendNext(
        _ links: inout Links,
        until drain: DrainSignal,
        _ isLeading: () -> Bool
    ) throws(PostgresError) -> Bool? {
        try measure(&links)
        if links.publisher == nil {
            // No rows are held meanwhile, and where there is no event there is no connection.
            if try links.session!.flight([(EventSQL.any, [])])[0].count == 0 { return false }
            let isConnected = askBroker(&links) { links throws(AMQPError) in
                try connect(&links, until: drain)
            }
            if !isConnected { return nil }
        }
        let begin = ContinuousClock.now
        let rows = try links.session!.flight([
            (.begin, []), (EventSQL.lazily, []), (EventSQL.take, [.integer(Self.batch)]),
        ])[2]
        let events = try rows.map(EventSQL.event)
        if events.isEmpty {
            _ = try links.session!.flight([(.commit, [])])
            keepAlive(&links)
            return false
        }
        var confirmed: [Int] = []
        let isTaken = askBroker(&links) { links throws(AMQPError) in
            try send(events, &links, &confirmed) {
                // Without the rows, or without the lead, another process may be sending them.
                begin + Self.sending > .now && !drain.isRaised && isLeading()
            }
        }
        Failpoint.eventsConfirmed.hit()
        let ids = Parameter.integerArray(confirmed)
        _ = try links.session!.flight([(EventSQL.delete, [ids]), (.commit, [])])
        if !isTaken { return nil }
        return events.count == Self.batch || confirmed.count < events.count
    }

    /// - Returns: whether the broker has done it.
    private func askBroker(
        _ links: inout Links,
        _ body: (inout Links) throws(AMQPError) -> Int
    ) -> Bool {
        do throws(AMQPError) {
            let refused = try body(&links)
            note(refused)
            // A channel that has met a quorum queue without its leader may go on to refuse.
            if refused > 0 { links.publisher = nil }
            return refused == 0
        } catch {
            links.publisher = nil
            var problem = error.problem(of: .publisher, Self.subject)
            problem.remedy = problem.remedy ?? "events wait in amity_outbox meanwhile"
            health.failed(problem, logging: "events.broker-failed", to: logger)
            return false
        }
    }

    private func connect(
        _ links: inout Links,
        until drain: DrainSignal
    ) throws(AMQPError) -> Int {
        links.attempt += 1
        links.publisher = try ExchangePublisher(
            to: endpoint,
            attempt: links.attempt,
            until: drain,
            logger: logger
        )
        return 0
    }

    /// - Returns: of how many subjects the broker has refused an event.
    private func send(
        _ events: [OutboxEvent],
        _ links: inout Links,
        _ confirmed: inout [Int],
        while mayGoOn: () -> Bool
    ) throws(AMQPError) -> Int {
        let deadline = ContinuousClock.now + Self.answering
        try links.publisher!.declare(Set(events.map(\.exchange)))
        var refused: Set<String> = []
        for wave in OutboxEvent.waves(of: events) {
            guard mayGoOn() else { break }
            let next = wave.filter { !refused.contains($0.subject) }
            let answers = try links.publisher!.publish(
                next.map { .init($0.message, exchange: $0.exchange, routingKey: $0.routingKey) },
                by: deadline
            )
            for (event, isTaken) in zip(next, answers) {
                sent[isTaken]?.increment()
                if isTaken { confirmed.append(event.id) } else { refused.insert(event.subject) }
            }
        }
        return refused.count
    }

    private func note(_ refused: Int) {
        if refused == 0 {
            return health.works(
                .publisher,
                Self.subject,
                logging: "events.broker-restored",
                to: logger
            )
        }
        health.failed(
            LinkHealth.Problem(
                link: .publisher,
                subject: Self.subject,
                kind: .notTaken,
                code: "nack",
                text: "a queue bound to \(EventTopics.exchange) refuses events: it is full, or its "
                    + "node is away; they wait in amity_outbox",
                remedy: "have it drop its oldest (x-overflow: drop-head), or unbind it"
            ),
            logging: "events.not-taken",
            to: logger
        )
    }

    private func keepAlive(_ links: inout Links) {
        do throws(AMQPError) {
            try links.publisher?.keepAlive()
        } catch {
            // Another one is opened for the next event.
            links.publisher = nil
        }
    }

    private func measure(_ links: inout Links) throws(PostgresError) {
        let now = ContinuousClock.now
        if let last = links.measuredAt, now < last + Self.measuring { return }
        links.measuredAt = now
        let found = try links.session!.flight([(EventBacklog.statement, [])])[0]
        guard let backlog = try found.map(EventBacklog.init).first else { return }
        waiting.record(backlog.count)
        age.record(max(0, backlog.age ?? 0))
    }
}
