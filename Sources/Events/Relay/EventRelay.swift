import AMQP
import Concurrency
import CoreMetrics
import DequeModule
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
///
/// A broker that is slow to confirm is waited for, with the rows free meanwhile. What a bound queue
/// refuses is sent again after a rest, and no other subject waits for it. While the broker has an
/// alarm nothing is sent.
package final class EventRelay: Sendable {
    private let database: ConnectionTarget
    private let endpoint: Endpoint
    private let interval: Duration
    private let health: RelayHealth
    private let logger: Logger
    private let sent: [Bool: Counter]
    private let waiting = Metric.eventsWaiting.gauge()
    private let age = Metric.eventsAge.gauge()

    /// Most rows that one transaction sends. Chosen: some ten milliseconds.
    private static let batch = 500
    /// Between two looks: where events are written, as far as this process knows, and where not.
    private static let (often, seldom) = (Duration.milliseconds(200), Duration.seconds(5))
    /// A transaction may idle for two seconds; then its rows are free, and another leader may send
    /// them. So nothing is sent later than this, and it holds them no longer. Chosen.
    private static let (sending, holding) = (Duration.seconds(1), Duration.milliseconds(1600))
    /// What is not confirmed for so long is named, and then sent again over a connection of its
    /// own. Chosen: a publisher of dead letters waits as long.
    private static let (slow, patience) = (Duration.seconds(5), Duration.seconds(30))
    /// Most rows that are sent, rest, or come after those. Chosen: a few megabytes at most of ids
    /// and names; with more than these nothing more is taken.
    private static let mostHeld = 2_000
    /// As long as a channel that has refused is used at least. Chosen.
    private static let renewing = Duration.seconds(10)
    /// Then all of the outbox is looked through again: whatever was done to it by hand. Chosen.
    private static let floorLasts = Duration.seconds(300)
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
        self.health = RelayHealth(links: health, logger: logger)
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
                health.forget()
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
        var floor = OutboxFloor()
        var publisher: ExchangePublisher?
        /// Why the broker takes nothing; nil where it does.
        var alarm: String?
        var ledger = EventLedger()
        /// When the broker was last seen to take nothing at all.
        var blockedAt = ContinuousClock.now
        /// Whether this channel has refused an event.
        var hasRefused = false
        var connectedAt = ContinuousClock.now
        var floorBegan = ContinuousClock.now
        /// Which of the endpoint's hosts is next.
        var attempt = 0
        var measuredAt: ContinuousClock.Instant?

        /// Another server may have other rows with these ids.
        mutating func loseSession() {
            session = nil
            floor = OutboxFloor()
            ledger.forgetRows()
        }

        mutating func losePublisher() {
            publisher = nil
            alarm = nil
            hasRefused = false
            ledger.lose(at: .now)
        }

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
                    // A look passes over all that an old snapshot keeps, now and then.
                    statementTimeout: .seconds(15)
                )
            }
            let hasMore = try sendNext(&links, until: drain, isLeading)
            health.databaseWorks()
            return hasMore
        } catch {
            links.loseSession()
            // The leader before this one still holds the rows.
            if error.kind == .conflict { return false }
            health.failed(error)
            return nil
        }
    }

    private func sendNext(
        _ links: inout Links,
        until drain: DrainSignal,
        _ isLeading: () -> Bool
    ) throws(PostgresError) -> Bool? {
        try measure(&links)
        if links.publisher == nil {
            // No rows are held meanwhile, and where there is no event there is no connection.
            if try links.session!.flight([(EventSQL.any, [])])[0].count == 0 {
                health.forget()
                return false
            }
        }
        let isThere = askBroker(&links) { links throws(AMQPError) in
            if links.publisher == nil { try connect(&links, until: drain) }
            try receive(&links)
        }
        if !isThere { return nil }
        guard links.alarm == nil, !isToBeRenewed(&links) else {
            try deleteConfirmed(&links)
            return nil
        }
        links.ledger.wake(at: .now)
        let begin = ContinuousClock.now
        let rows = try take(&links)
        let isSent = askBroker(&links) { links throws(AMQPError) in
            try send(rows, &links, until: begin + Self.holding) {
                // Without the rows, or without the lead, another process may be sending them.
                begin + Self.sending > .now && !drain.isRaised && isLeading()
            }
        }
        if !rows.isEmpty { Failpoint.eventsConfirmed.hit() }
        try deleteConfirmed(&links, [(.commit, [])])
        return isSent ? rows.count == Self.batch : nil
    }

    private func deleteConfirmed(
        _ links: inout Links,
        _ end: [(Statement, [Parameter])] = []
    ) throws(PostgresError) {
        let confirmed = links.ledger.confirmed
        let deletion = [(EventSQL.delete, [Parameter.integerArray(Array(confirmed))])]
        let statements = (confirmed.isEmpty ? [] : deletion) + end
        if !statements.isEmpty { _ = try links.session!.flight(statements) }
        links.ledger.delete(confirmed)
    }

    /// Begins the transaction that holds the rows.
    private func take(_ links: inout Links) throws(PostgresError) -> [OutboxEvent] {
        let now = ContinuousClock.now
        if links.floorBegan + Self.floorLasts <= now {
            (links.floor, links.floorBegan) = (OutboxFloor(), now)
        }
        let held = links.ledger.held
        let most = min(Self.batch, Self.mostHeld - held.count)
        // A look for nothing would tell the floor that there is nothing.
        if most <= 0 {
            _ = try links.session!.flight([(.begin, [])])
            return []
        }
        let results = try links.session!.flight([
            (.begin, []), (EventSQL.lazily, []), (EventSQL.snapshot, []),
            (
                EventSQL.take,
                [
                    .integer(most), .integer(links.floor.id), .integerArray(Array(held)),
                ]
            ),
        ])
        let events = try results[3].map(EventSQL.event)
        if let snapshot = try results[2].map(EventSQL.bounds).first {
            let ids = events.first.map { (first: $0.id, last: events.last?.id ?? $0.id) }
            links.floor.looked(ids, held: held.min(), snapshot, at: now)
        }
        return events
    }

    /// - Returns: whether the broker has done it.
    private func askBroker(
        _ links: inout Links,
        _ body: (inout Links) throws(AMQPError) -> Void
    ) -> Bool {
        do throws(AMQPError) {
            try body(&links)
            health.note(
                alarm: links.alarm,
                hasRefused: links.ledger.hasRefused,
                isSlow: unconfirmed(links, at: .now) > Self.slow
            )
            return true
        } catch {
            links.losePublisher()
            health.failed(error)
            return false
        }
    }

    private func connect(
        _ links: inout Links,
        until drain: DrainSignal
    ) throws(AMQPError) {
        links.attempt += 1
        links.connectedAt = .now
        links.publisher = try ExchangePublisher(
            to: endpoint,
            attempt: links.attempt,
            until: drain,
            logger: logger
        )
    }

    /// Sends rows that are held, for one subject the next when the broker has the one before, and
    /// waits for the answers.
    ///
    /// - Parameter deadline: then they are held no longer, and what is not answered is later.
    private func send(
        _ events: [OutboxEvent],
        _ links: inout Links,
        until deadline: ContinuousClock.Instant,
        while mayGoOn: () -> Bool
    ) throws(AMQPError) {
        try links.publisher!.declare(Set(events.map(\.exchange)))
        var open: Set<UInt64> = []
        // Of subjects whose first was sent here. Where an earlier turn has sent one, rows between
        // that one and these may have been left out of this look.
        var waiting: [String: Deque<OutboxEvent>] = [:]
        // For good: what comes later must not overtake what was not sent.
        var isOver = false
        func publish(_ event: OutboxEvent, _ links: inout Links) throws(AMQPError) -> Bool {
            isOver = isOver || links.alarm != nil || !mayGoOn()
            if isOver { return false }
            let tag = try links.publisher!.publish(event.outgoing)
            links.ledger.send(event.id, of: event.subject, as: tag, at: .now)
            open.insert(tag)
            return true
        }
        for event in events {
            if links.ledger.isFree(event.subject) {
                if try publish(event, &links) { waiting[event.subject] = [] }
            } else {
                links.ledger.wait(event.id, behind: event.subject)
                waiting[event.subject]?.append(event)
            }
        }
        while !open.isEmpty, links.alarm == nil, .now < deadline {
            let limit = ContinuousClock.now.duration(to: deadline)
            for (tag, free) in try receive(&links, within: limit) {
                guard open.remove(tag) != nil, let subject = free,
                    let next = waiting[subject]?.popFirst(), try publish(next, &links)
                else { continue }
                for later in waiting[subject] ?? [] { links.ledger.wait(later.id, behind: subject) }
            }
        }
    }

    /// Takes down what the broker has answered.
    ///
    /// - Returns: numbers of confirms, each with the subject whose next event may be sent, if any.
    @discardableResult private func receive(
        _ links: inout Links,
        within limit: Duration = .zero
    ) throws(AMQPError) -> [(tag: UInt64, free: String?)] {
        let answers = try links.publisher!.answers(within: limit)
        let now = ContinuousClock.now
        if links.alarm != nil || answers.alarm != nil { links.blockedAt = now }
        links.alarm = answers.alarm
        var answered: [(tag: UInt64, free: String?)] = []
        for (tag, isTaken) in answers.confirms {
            sent[isTaken]?.increment()
            if !isTaken { links.hasRefused = true }
            answered.append((tag, links.ledger.answer(tag, isTaken: isTaken, at: now)))
        }
        if unconfirmed(links, at: now) > Self.patience {
            throw .unresponsive(during: "wait for a confirm")
        }
        return answered
    }

    /// A channel that has met a quorum queue without its leader may go on to refuse (seen with
    /// RabbitMQ 3.10.8). So one that has refused is left for another, once nothing is on its way.
    private func isToBeRenewed(_ links: inout Links) -> Bool {
        let now = ContinuousClock.now
        guard links.hasRefused, links.connectedAt + Self.renewing <= now else { return false }
        // A queue that does not confirm at all would stop the others' events for long.
        if let oldest = links.ledger.oldestSent { return oldest + Self.slow > now }
        links.losePublisher()
        return true
    }

    /// For how long the broker could have confirmed an event, and has not.
    private func unconfirmed(
        _ links: borrowing Links,
        at now: ContinuousClock.Instant
    ) -> Duration {
        links.ledger.oldestSent.map { max($0, links.blockedAt).duration(to: now) } ?? .zero
    }

    private func measure(_ links: inout Links) throws(PostgresError) {
        let now = ContinuousClock.now
        if let last = links.measuredAt, now < last + Self.measuring { return }
        links.measuredAt = now
        let found = try links.session!.flight([
            (EventBacklog.statement, [.integer(links.floor.id)])
        ])[0]
        guard let backlog = try found.map(EventBacklog.init).first else { return }
        waiting.record(backlog.count)
        age.record(max(0, backlog.age ?? 0))
    }
}
