import AMQP
import Concurrency
import ConversationPublishing
import Foundation
import LeasedPublishing
import Messaging
import Postgres

/// The outbox. A publisher sends what this process has just committed, at once; and what is due,
/// because a process died or the broker was away. What the broker has confirmed is deleted.
///
/// A row is leased by its `due_at`: by the transaction that made it, and then by each process that
/// takes it up.
struct Outbox: LeasedRows {
    let store: IntakeStore
    let health: IntakeHealth
    /// When the database was last tried, while it does not work.
    private let rehearsedAt = Locked(ContinuousClock.now)

    /// Most rows that one statement leases. Chosen.
    private static let batch = 500
    /// Between two looks at what is due: while something is, and while nothing is. Chosen.
    private static let (busy, idle) = (Duration.milliseconds(200), Duration.seconds(1))

    init(_ store: IntakeStore, _ health: IntakeHealth) {
        self.store = store
        self.health = health
    }

    func settle(_ messages: [OutboxMessage]) -> Bool {
        do throws(PostgresError) {
            try store.sessions.withSession { session throws(PostgresError) in
                _ = try session.flight([
                    (.begin, []), (OutboxSQL.lazily, []),
                    (OutboxSQL.delete, [.integerArray(messages.map(\.id))]), (.commit, []),
                ])
            }
            return true
        } catch {
            health.failed(error)
            return false
        }
    }

    func answered(_ message: OutboxMessage, _ result: Publisher.Result) {
        switch result {
        case .confirmed: health.taken(message)
        case .returned: health.notTaken(message, isMissing: true)
        case .refused: health.notTaken(message, isMissing: false)
        case .abandoned: break
        }
    }

    /// The queue may be one of old settings; its own one is declared by each new connection.
    func declare(_ queue: String) -> Bool { false }

    func turn(_ publisher: LeasedPublisher<Outbox>) -> Duration {
        let pause = publishDue(publisher)
        rehearse()
        return pause
    }

    /// Else a process that gets no requests while it is unready would stay so.
    private func rehearse() {
        let isDue =
            !health.isDatabaseWorking
            && rehearsedAt.withLock { last in
                if .now < last + .seconds(2) { return false }
                last = .now
                return true
            }
        if !isDue { return }
        do throws(PostgresError) {
            if try store.rehearse() { health.databaseWorks() }
        } catch {
            health.failed(error)
        }
    }

    /// - Returns: until the next look.
    private func publishDue(_ publisher: LeasedPublisher<Outbox>) -> Duration {
        let (room, aside) = (min(Self.batch, publisher.room), publisher.aside)
        if room == 0 { return Self.busy }
        let begin = ContinuousClock.now
        do throws(PostgresError) {
            let taken = try store.sessions.withSession { session throws(PostgresError) in
                let rows = try session.flight([
                    (.begin, []), (OutboxSQL.lazily, []),
                    (OutboxSQL.take, [.integer(room), .textArray(aside)]), (.commit, []),
                ])[2]
                return try rows.map(OutboxSQL.taken)
            }
            publisher.settle(taken.filter(\.isObsolete).map(\.message))
            publisher.publish(taken.filter { !$0.isObsolete }.map(\.message), leasedAt: begin)
            return taken.count == room ? .zero : taken.isEmpty ? Self.idle : Self.busy
        } catch {
            health.failed(error)
            return Self.idle
        }
    }
}

extension OutboxMessage: LeasedItem {
    var key: Int { id }
    var lane: Int { 0 }
    var subject: String { conversationID }

    var message: Message {
        .naming(conversationID, user: userID, bot: botID, enqueuedAt: Date())
    }
}
