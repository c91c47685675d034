import Foundation
import FriendshipScoring
import Postgres
import WorkerRuntime

/// A row of `conversation_events`, as far as the score needs it.
struct ConversationEvent: Sendable {
    var id: Int
    var conversationID: String
    var userID: String
    var botID: String
    var agentTag: String?
    /// PROCESSED or SKIPPED: counted already, or somebody's decision that it shall not count.
    var isSettled: Bool
    var logJSON: Data
}

struct ScoredEvent: Sendable {
    var event: ConversationEvent
    var score: ConversationScore
}

/// What a conversation did to its user.
struct AppliedEvent: Sendable {
    var conversationID: String
    var userID: String
    var change: Double
    var level: FriendshipLevel
}

/// Conversations and friendships in PostgreSQL, three round trips for a batch of any size:
///
/// - load, without locks: the events and the topics their agents lead to;
/// - lock: BEGIN, claim the events, make missing users, lock the users, each statement with a
///   snapshot of its own, in an order that the server sorts, so that batches never deadlock;
/// - write: users, events, COMMIT.
///
/// Between lock and write the batch is folded in Swift, in order of arrival.
package struct ConversationStore: Sendable {
    private let sessions: SessionPool

    package init(sessions: SessionPool) {
        self.sessions = sessions
    }

    struct Loaded: Sendable {
        /// By conversation_id; unknown ones are missing.
        var events: [String: ConversationEvent] = [:]
        var agenda = Agenda()
    }

    func load(
        _ conversationIDs: [String],
        on slot: ThreadPool.Slot
    ) throws(PostgresError) -> Loaded {
        try sessions.withSession(preferring: slot) { session throws(PostgresError) in
            let ids = Parameter.textArray(conversationIDs)
            let rows = try session.flight([(SQL.loadEvents, [ids]), (SQL.loadAgenda, [ids])])
            var loaded = Loaded()
            for row in 0..<rows[0].count {
                let event = ConversationEvent(rows[0], row)
                loaded.events[event.conversationID] = event
            }
            for row in 0..<rows[1].count {
                loaded.agenda.add(rows[1], row)
            }
            return loaded
        }
    }

    /// Applies scored conversations in one transaction.
    ///
    /// - Parameter events: in order of arrival, each conversation once.
    /// - Returns: those that counted. The others were settled by somebody else in the meantime.
    func persist(
        _ events: [ScoredEvent],
        agenda: Agenda,
        on slot: ThreadPool.Slot
    ) throws(PostgresError) -> [AppliedEvent] {
        try sessions.withSession(preferring: slot) { session throws(PostgresError) in
            let ids = Parameter.integerArray(events.map(\.event.id))
            let users = Parameter.textArray(events.map(\.event.userID))
            let locked = try session.flight([
                (SQL.begin, []), (SQL.claimEvents, [ids]), (SQL.insertUsers, [ids]),
                (SQL.lockUsers, [users]),
            ])
            let claimed = Set((0..<locked[1].count).compactMap { locked[1].integer($0, 0) })
            let lockedUsers = LockedUser.all(in: locked[3])
            var fold = FriendshipFold(users: lockedUsers, agenda: agenda, at: Date())
            for event in events where claimed.contains(event.event.id) { fold.apply(event) }
            // Nothing follows COMMIT: until its answer is here, nothing has happened.
            _ = try session.flight([
                (SQL.updateUsers, fold.userParameters), (SQL.updateEvents, fold.eventParameters),
                (SQL.commit, []),
            ])
            return fold.applied
        }
    }

    /// Marks events that cannot be scored; the message itself is dead-lettered or retried.
    func recordFailures(
        _ failures: [(event: Int, failure: Failure)],
        on slot: ThreadPool.Slot
    ) throws(PostgresError) {
        let parameters: [Parameter] = [
            .integerArray(failures.map(\.event)), .textArray(failures.map(\.failure.code)),
            .textArray(failures.map(\.failure.reason)),
        ]
        try sessions.withSession(preferring: slot) { session throws(PostgresError) in
            _ = try session.flight([(SQL.recordFailures, parameters)])
        }
    }
}

extension ConversationEvent {
    /// Reads a row of `SQL.loadEvents`.
    fileprivate init(_ rows: Rows, _ row: Int) {
        id = rows.integer(row, 0) ?? 0
        conversationID = rows.string(row, 1) ?? ""
        userID = rows.string(row, 2) ?? ""
        botID = rows.string(row, 3) ?? ""
        agentTag = rows.string(row, 4)
        isSettled = rows.string(row, 5) == "t"
        logJSON = rows.data(row, 6) ?? Data()
    }
}
