import Failpoints
import Foundation
import FriendshipScoring
import Postgres
import WorkerRuntime

/// A row of `conversation_events`, as far as its score needs it.
struct ConversationEvent: Sendable {
    var id: Int
    var conversationID: ExactText
    var userID: String
    var botType: String
    /// PROCESSED or SKIPPED: counted already, or somebody's decision that it shall not count.
    var isSettled: Bool
    var logJSON: Data
}

struct ScoredEvent: Sendable {
    var event: ConversationEvent
    var score: ConversationScore
}

/// What the transaction found out about an event.
enum EventFate: Sendable, Equatable {
    /// It counted now. The user's level after it.
    case applied(FriendshipLevel)
    /// Somebody settled it since it was loaded.
    case settled
    /// Its row, or its user's, was gone when the locks were taken.
    case unknown
}

/// Conversations and friendships in PostgreSQL, three round trips for a batch of any size:
///
/// - load, without locks: the events;
/// - lock: BEGIN, claim the events, make missing users, lock the users, read the topics, each
///   statement with a snapshot of its own, in an order that the server sorts, so that batches never
///   deadlock;
/// - write: users, events, COMMIT.
///
/// Between lock and write the batch is folded in Swift, in order of arrival. What is folded was read
/// under the locks; only the log was read before.
package struct ConversationStore: Sendable {
    private let sessions: SessionPool

    package init(sessions: SessionPool) {
        self.sessions = sessions
    }

    /// - Returns: the events there are.
    func load(
        _ ids: [ExactText],
        on slot: ThreadPool.Slot
    ) throws(PostgresError) -> [ExactText: ConversationEvent] {
        try sessions.withSession(preferring: slot) { session throws(PostgresError) in
            let parameter = Parameter.textArray(ids.map(\.text))
            let rows = try session.flight([(SQL.loadEvents, [parameter])])[0]
            var events: [ExactText: ConversationEvent] = [:]
            for row in 0..<rows.count {
                let event = ConversationEvent(rows, row)
                events[event.conversationID] = event
            }
            return events
        }
    }

    /// Applies scored conversations in one transaction.
    ///
    /// - Parameter events: in order of arrival, each conversation once.
    /// - Returns: the fate of each, in the same order.
    func persist(
        _ events: [ScoredEvent],
        on slot: ThreadPool.Slot
    ) throws(PostgresError) -> [(ScoredEvent, EventFate)] {
        try sessions.withSession(preferring: slot) { session throws(PostgresError) in
            let ids = [Parameter.integerArray(events.map(\.event.id))]
            let locked = try session.flight([
                (.begin, []), (SQL.claimEvents, ids), (SQL.insertUsers, ids),
                (SQL.lockUsers, ids), (SQL.readAgenda, ids), (SQL.readTopics, ids),
            ])
            let claims = EventClaim.all(in: locked[1])
            var fold = FriendshipFold(
                users: FriendshipFold.users(in: locked[3]),
                agenda: Agenda(locked[4]),
                topics: FriendshipFold.topics(in: locked[5]),
                at: Date()
            )
            let fates = events.map { event in
                (event, claims[event.event.id].map { fold.apply(event.score, to: $0) } ?? .unknown)
            }
            Failpoint.written.hit()
            // Nothing follows COMMIT: until its answer is here, nothing has happened.
            _ = try session.flight([
                (SQL.updateUsers, fold.userParameters), (SQL.updateEvents, fold.eventParameters),
                (.commit, []),
            ])
            Failpoint.committed.hit()
            return fates
        }
    }

    /// Marks events whose message was dead-lettered or waits for a retry.
    func record(
        _ failures: [EventFailure],
        on slot: ThreadPool.Slot
    ) throws(PostgresError) {
        let parameters: [Parameter] = [
            .textArray(failures.map(\.conversationID.text)),
            .textArray(failures.map(\.failure.code)), .textArray(failures.map(\.failure.reason)),
            .textArray(failures.map { $0.retryAfter.map(String.init) }),
        ]
        try sessions.withSession(preferring: slot) { session throws(PostgresError) in
            _ = try session.flight([(SQL.recordFailures, parameters)])
        }
    }
}

/// What the event's row is to say of its failure.
struct EventFailure: Sendable {
    var conversationID: ExactText
    var failure: Failure
    /// Seconds until the message runs again; nil when it is dead.
    var retryAfter: Int?
}

extension ConversationEvent {
    /// Reads a row of `SQL.loadEvents`.
    fileprivate init(_ rows: Rows, _ row: Int) {
        id = rows.integer(row, 0) ?? 0
        conversationID = ExactText(rows.string(row, 1) ?? "")
        userID = rows.string(row, 2) ?? ""
        botType = rows.string(row, 3) ?? ""
        isSettled = rows.string(row, 4) == "t"
        logJSON = rows.data(row, 5) ?? Data()
    }
}
