import AMQP
import Concurrency
import Conversations
import CoreMetrics
import Foundation
import Metering
import Postgres

/// Publishes what is in the outbox: what this process has just committed, at once; and what is due,
/// because a process died or the broker was away. Deletes what the broker has confirmed.
///
/// A row is leased by its `due_at`: by the transaction that made it, and then by each process that
/// takes it up. Once the lease is over nothing of it is sent any more, so a broker that is away for
/// hours finds no queue of old copies here.
final class OutboxPublisher: Sendable {
    private struct State {
        /// Messages that are handed over and not answered, by id; with the end of their leases.
        var inHand: [Int: ContinuousClock.Instant] = [:]
        /// To be deleted.
        var settled: [Int] = []
        /// Queues that are not there, by name; with the time until which they are left alone.
        var aside: [String: ContinuousClock.Instant] = [:]

        /// How many more may be handed over. None while one is overdue: then the broker is away.
        func room(at now: ContinuousClock.Instant) -> Int {
            let isAway = inHand.values.contains { $0 <= now }
            return isAway ? 0 : max(0, OutboxPublisher.window - inHand.count)
        }

        func isAside(_ queue: String, at now: ContinuousClock.Instant) -> Bool {
            aside[queue].map { now < $0 } ?? false
        }
    }

    private let sessions: SessionPool
    private let publisher: Publisher
    private let health: IntakeHealth
    private let store: IntakeStore
    private let state = Locked(State())
    private let drain = DrainSignal()
    private let stopped = MonotonicSemaphore(value: 0)
    private let results: [Publisher.Result: Counter]
    private let inHand = Metric.outboxInHand.gauge()

    /// Chosen: what a broker confirms in a second or two; a few megabytes.
    private static let window = 10_000
    /// Most rows that one statement leases. Chosen.
    private static let batch = 500
    /// The database's lease is longer, by what clocks and waits may differ.
    private static let lease = Duration.milliseconds(4500)
    /// Between two looks at what is due: while something is, and while nothing is. Chosen.
    private static let (busy, idle) = (Duration.milliseconds(200), Duration.seconds(1))
    /// Confirms come one by one, and are deleted together.
    private static let gathering = Duration.milliseconds(20)
    /// As long as a queue that is not there is left alone. Chosen.
    private static let pauseForQueue = Duration.seconds(30)

    init(_ publisher: Publisher, _ store: IntakeStore, _ health: IntakeHealth) {
        self.publisher = publisher
        self.store = store
        self.health = health
        sessions = store.sessions
        results = Dictionary(
            uniqueKeysWithValues: [.confirmed, .returned, .refused, .abandoned].map {
                ($0, Metric.outboxMessages.counter("\($0)"))
            }
        )
    }

    func start() {
        publisher.start()
        startThread(name: "amity-outbox", stackBytes: 512 << 10) {
            self.run()
            self.stopped.signal()
        }
    }

    /// Waits until what is in hand is answered and deleted, and ends.
    func stop(within limit: Duration) {
        let deadline = ContinuousClock.now + limit
        _ = drain.wait(atMost: limit) { state.withLock { $0.inHand.isEmpty } }
        drain.raise()
        publisher.stop()
        stopped.wait(atMost: max(.zero, ContinuousClock.now.duration(to: deadline)) + .seconds(1))
    }

    /// Publishes as many as there is room for. The others are due when their leases are over.
    ///
    /// - Parameter leasedAt: before the database's lease began.
    func publish(_ messages: [OutboxMessage], leasedAt: ContinuousClock.Instant) {
        let end = leasedAt + Self.lease
        let taken = state.withLock { state in
            let now = ContinuousClock.now
            let taken = messages.filter { !state.isAside($0.routingKey, at: now) }
                .prefix(state.room(at: now))
            for message in taken { state.inHand[message.id] = end }
            return taken
        }
        for message in taken { publish(message, until: end) }
    }

    private func publish(_ message: OutboxMessage, until end: ContinuousClock.Instant) {
        publisher.publish(
            .naming(
                message.conversationID,
                user: message.userID,
                bot: message.botID,
                enqueuedAt: Date()
            ),
            about: message.conversationID,
            exchange: message.exchange,
            routingKey: message.routingKey,
            isWanted: { .now < end },
            completion: { self.answered(message, $0) }
        )
    }

    /// On the publisher's thread.
    private func answered(_ message: OutboxMessage, _ result: Publisher.Result) {
        results[result]?.increment()
        let isWorth = state.withLock { state in
            state.inHand[message.id] = nil
            if result == .returned {
                state.aside[message.routingKey] = .now + Self.pauseForQueue
            }
            if result == .confirmed { state.settled.append(message.id) }
            return state.settled.count == 1 || state.inHand.isEmpty
        }
        switch result {
        case .confirmed: health.taken(message)
        case .returned: health.notTaken(message, isMissing: true)
        case .refused: health.notTaken(message, isMissing: false)
        case .abandoned: break
        }
        if isWorth { drain.wake() }
    }

    // MARK: The thread

    private func run() {
        var next = ContinuousClock.now
        var rehearsal = ContinuousClock.now
        while !drain.isRaised {
            let pause = ContinuousClock.now.duration(to: next)
            _ = drain.wait(atMost: pause) { state.withLock { !$0.settled.isEmpty } }
            deleteSettled()
            if next <= .now {
                next = .now + publishDue()
                inHand.record(state.withLock(\.inHand.count))
            }
            // Else a process that gets no requests while it is unready would stay so.
            if !health.isDatabaseWorking, rehearsal <= .now {
                rehearsal = .now + .seconds(2)
                rehearse()
            }
            drain.wait(for: Self.gathering)
        }
        deleteSettled()
    }

    private func rehearse() {
        do throws(PostgresError) {
            if try store.rehearse() { health.databaseWorks() }
        } catch {
            health.failed(error)
        }
    }

    /// - Returns: until the next look.
    private func publishDue() -> Duration {
        let (room, aside) = state.withLock { state in
            state.aside = state.aside.filter { .now < $0.value }
            return (min(Self.batch, state.room(at: .now)), Array(state.aside.keys))
        }
        if room == 0 { return Self.busy }
        let begin = ContinuousClock.now
        do throws(PostgresError) {
            let taken = try sessions.withSession { session throws(PostgresError) in
                let rows = try session.flight([
                    (.begin, []), (OutboxSQL.lazily, []),
                    (OutboxSQL.take, [.integer(room), .textArray(aside)]), (.commit, []),
                ])[2]
                return try rows.map(OutboxSQL.taken)
            }
            let obsolete = taken.filter(\.isObsolete).map(\.message.id)
            state.withLock { $0.settled += obsolete }
            publish(taken.filter { !$0.isObsolete }.map(\.message), leasedAt: begin)
            return taken.count == room ? .zero : taken.isEmpty ? Self.idle : Self.busy
        } catch {
            health.failed(error)
            return Self.idle
        }
    }

    private func deleteSettled() {
        let ids = state.withLock { state in
            defer { state.settled = [] }
            return state.settled
        }
        if ids.isEmpty { return }
        do throws(PostgresError) {
            try sessions.withSession { session throws(PostgresError) in
                _ = try session.flight([
                    (.begin, []), (OutboxSQL.lazily, []),
                    (OutboxSQL.delete, [.integerArray(ids)]), (.commit, []),
                ])
            }
        } catch {
            health.failed(error)
            // They are published again where this process ends before the database is back.
            state.withLock { $0.settled = ids + $0.settled }
        }
    }
}
