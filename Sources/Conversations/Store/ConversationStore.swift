import Concurrency
import Failpoints
import Foundation
import FriendshipScoring
import Messaging
import Postgres
import WorkerRuntime

/// What the transaction found out about a conversation.
enum EventFate: Sendable, Equatable {
    /// It counted now.
    case applied(change: Double, FriendshipLevel, user: ExactText)
    /// It had been settled before.
    case settled
    /// It cannot be scored, for now or for ever.
    case failed(Failure, mayPass: Bool)
    /// There is no such row.
    case missing
    /// It changed since it was analysed, and is analysed again.
    case changed
    /// Another transaction holds its user's lock, and this one did not wait for it.
    case locked

    /// Whether no worker will score it any more.
    var isOver: Bool {
        switch self {
        case .applied, .settled: true
        case .failed, .missing, .changed, .locked: false
        }
    }
}

/// What one transaction has come to.
struct Settling: Sendable {
    var fates: [ExactText: EventFate] = [:]
    /// What rows have passed on the way.
    var passed: FaultEvidence.Steps = []
    /// Users' conversations that were written apart from the others and not taken.
    var refused: [Refusal] = []

    struct Refusal: Sendable {
        var conversations: [ExactText]
        var error: PostgresError
    }
}

/// Conversations and friendships in PostgreSQL, two round trips for a batch of any size, one
/// more where its users are contended.
///
/// Several conversations in one transaction, under locks:
///
/// - lock: BEGIN, read the events and lock those of their users that are free, in one statement. A
///   batch that waits for users has locked them before it, in an order that the server sorts, so
///   that batches never deadlock;
/// - write: new users, users, events, COMMIT.
///
/// The events themselves are not locked: a worker scores an event only while it holds its user's
/// lock, and if another process settles the event meanwhile, the write fails as a whole.
///
/// A single conversation, without a lock that outlives a statement: read both rows, and the topic
/// that an agent leads to; write both, if user and topic still are as read. If another worker
/// changed them first, it is done again under locks. Where no thread takes more than one, it is
/// read along with others: see `readAlone`.
///
/// Between the two the batch is scored and folded in Swift, in order of arrival, which takes
/// microseconds. Where agents are expected, the topics that they may move are read with the events;
/// an agent that was not seen lately takes a round trip or two more. A batch makes new users as it
/// writes; if another made one of them meanwhile, it begins anew. Alone a new user is made first,
/// in a transaction of its own.
package struct ConversationStore: Sendable {
    let sessions: SessionPool
    /// nil where no analysis costs anything.
    private let analyses: KeptAnalyses?
    let expected = Expectations()
    private let ahead: FetchAhead<ExactText, ConversationAlone>
    /// Most conversations of one read of singles. Chosen: 48 were no faster.
    static let mostInARead = 32
    /// Whether each score is told to other programs; under locks, for they keep its order.
    package var writesEvents = false

    /// - Parameter lifetime: how long what was read ahead may be written. Chosen: many times what
    ///   it takes under a backlog, and too short for a person to mend a row meanwhile.
    package init(
        sessions: SessionPool,
        keeping analyses: KeptAnalyses? = nil,
        readAheadFor lifetime: Duration = .seconds(1)
    ) {
        self.sessions = sessions
        self.analyses = analyses
        // Chosen: several reads. Where storage is slower, threads read side by side.
        ahead = FetchAhead(lifetime: lifetime, patience: .milliseconds(20))
    }

    /// Runs what may touch the table of analyses, if there is one.
    private func usingAnalyses<Value>(
        _ body: (_ isOn: Bool) throws(PostgresError) -> Value
    ) throws(PostgresError) -> Value {
        guard let analyses else { return try body(false) }
        return try analyses.using(body)
    }

    /// Reads events without a lock, for a caller that analyses them before it takes any.
    ///
    /// - Parameter logs: what of them it needs.
    /// - Returns: the events there are, with what of their analyses was paid for.
    func load(
        _ ids: [ExactText],
        logs: SQL.LogPart,
        on slot: ThreadPool.Slot
    ) throws(PostgresError) -> [(event: ConversationEvent, paid: PaidAnalysis)] {
        let texts = Parameter.textArray(ids.map(\.text))
        return try usingAnalyses { isKept throws(PostgresError) in
            try sessions.withSession(preferring: slot) { session throws(PostgresError) in
                let read = try session.flight(
                    [(SQL.readEvents, [texts, .text(logs.rawValue)])]
                        + (isKept ? [(KeptAnalyses.load, [texts])] : [])
                )
                let paid = isKept ? try KeptAnalyses.all(in: read[1]) : [:]
                return try SQL.events(in: read[0]).map { id, event in
                    (event, paid[id] ?? PaidAnalysis())
                }
            }
        }
    }

    /// Keeps what was paid for until its conversations are settled.
    func keep(
        _ paid: [ExactText: PaidAnalysis],
        on slot: ThreadPool.Slot
    ) throws(PostgresError) {
        try usingAnalyses { isKept throws(PostgresError) in
            if !isKept { return }
            try sessions.withSession(preferring: slot) { session throws(PostgresError) in
                _ = try session.flight([(KeptAnalyses.keep, KeptAnalyses.parameters(paid))])
            }
        }
    }

    /// Throws away analyses that are of no use any more.
    package func expireAnalyses() throws(PostgresError) {
        try usingAnalyses { isKept throws(PostgresError) in
            if !isKept { return }
            try sessions.withSession { session throws(PostgresError) in
                _ = try session.flight([(KeptAnalyses.expire, [])])
            }
        }
    }

    /// Scores conversations in one transaction.
    ///
    /// - Parameters:
    ///   - ids: in order of arrival, each once.
    ///   - logs: what of them `judge` needs.
    ///   - judge: called for each event that is not settled, with what of its analysis was paid
    ///     for. It must not wait, because locks may be held. Called again for a single event
    ///     where another worker changed its user first. Answers nil for an event that changed.
    ///   - locking: conversations whose users it does not wait for are `locked`.
    ///   - apart: nil where nothing is.
    ///   - upcoming: conversations that are likely to be next; asked where they may be read along.
    /// - Returns: the fate of each.
    func settle(
        _ ids: [ExactText],
        logs: SQL.LogPart,
        locking: Locking = .waiting,
        apart: Apart? = nil,
        on slot: ThreadPool.Slot,
        upcoming: @Sendable () -> [ExactText] = { [] },
        by judge: @Sendable (ConversationEvent, PaidAnalysis) -> Verdict?
    ) throws(PostgresError) -> Settling {
        let settling = try usingAnalyses { isKept throws(PostgresError) in
            try sessions.withSession(preferring: slot) { session throws(PostgresError) in
                if let only = ids.first, ids.count == 1, locking == .waiting, !isKept,
                    !writesEvents,
                    let settling = try settleAlone(
                        only,
                        logs: logs,
                        besides: upcoming,
                        in: &session,
                        by: judge
                    )
                {
                    return settling
                }
                let request = LockedEvents.Request(
                    ids: ids,
                    logs: logs,
                    isKept: isKept,
                    locking: locking
                )
                return try settleUnderLocks(request, apart: apart, in: &session, by: judge)
            }
        }
        if ids.count == 1, case .applied(_, _, let user) = settling.fates[ids[0]] {
            ahead.outdate { $0.event.userID == user }
        }
        return settling
    }

    /// - Returns: nil for a conversation that is to be settled under locks: another worker changed
    ///   its user, what is stored of the user is odd, or it has an agent and none was expected.
    private func settleAlone(
        _ id: ExactText,
        logs: SQL.LogPart,
        besides upcoming: () -> [ExactText],
        in session: inout Session,
        by judge: (ConversationEvent, PaidAnalysis) -> Verdict?
    ) throws(PostgresError) -> Settling? {
        var rows = ahead.take(id).map { [$0] } ?? []
        let wasAhead = !rows.isEmpty
        if !wasAhead {
            let readsTopic = !expected.agents.isEmpty
            do throws(PostgresError) {
                rows = try readAlone(
                    id,
                    besides: upcoming(),
                    withTopic: readsTopic,
                    logs: logs,
                    in: &session
                )
            } catch {
                if readsTopic, !session.isBroken, expected.areToBlame(for: error) { return nil }
                throw error
            }
        }
        // `settleUnderLocks` finds out which table has several rows.
        if rows.count > 1 { return nil }
        guard let alone = rows.first else { return Settling(fates: [id: .missing]) }
        let event = alone.event
        expected.saw([event])
        if event.isSettled { return Settling(fates: [id: .settled]) }
        if let defect = event.defect {
            return Settling(fates: [id: .failed(defect, mayPass: false)])
        }
        if alone.lacksTopic || !alone.canBeAddedTo { return nil }
        var fold = FriendshipFold(alone, at: Date())
        let fate = Self.fate(of: event, in: &fold, missing: .changed) { judge($0, PaidAnalysis()) }
        guard let update = fold.update(of: alone) else {
            // No write would find out that the row has changed since: it is read now.
            return wasAhead
                ? try settleAlone(id, logs: logs, besides: upcoming, in: &session, by: judge)
                : Settling(fates: [id: fate])
        }
        if alone.isNewUser {
            // In a transaction of its own: then an error is about nothing but the user, also one of
            // what is checked at the commit.
            _ = try session.flight([
                (SQL.insertUser, [.text(event.userID.text), .integer(event.id)])
            ])
        }
        Failpoint.written.hit()
        let isDone = try session.flight([update])[0].first(SQL.isUpdated) ?? false
        Failpoint.committed.hit()
        if !isDone { return nil }
        var passed: FaultEvidence.Steps = .scoring
        if fold.movesTopics { passed.insert(.topics) }
        if alone.isNewUser { passed.insert(.newUser) }
        return Settling(fates: [id: fate], passed: passed)
    }

    /// Reads a conversation, and others along with it for their threads: under a backlog each costs
    /// one round trip instead of two, and a fraction of a read. What lacks something, or has
    /// changed by the time it is written, is read again by its own thread.
    private func readAlone(
        _ id: ExactText,
        besides upcoming: [ExactText],
        withTopic readsTopic: Bool,
        logs: SQL.LogPart,
        in session: inout Session
    ) throws(PostgresError) -> [ConversationAlone] {
        let others = ahead.begin(upcoming.filter { $0 != id })
        let ids = Parameter.textArray(([id] + others).map(\.text))
        let statement = readsTopic ? SQL.readConversationsAndTopics : SQL.readConversations
        do throws(PostgresError) {
            let read = try session.flight([(statement, [ids, .text(logs.rawValue)])])[0]
                .map(readsTopic ? SQL.conversationAndTopic : SQL.conversation)
            let rows = Dictionary(grouping: read, by: \.event.conversationID)
            ahead.end(
                others,
                rows.compactMapValues { $0.count == 1 && $0[0].isComplete ? $0[0] : nil }
            )
            return rows[id] ?? []
        } catch {
            ahead.end(others, [:])
            // It may be about another one, unless it is the table that is locked.
            if others.isEmpty || session.isBroken || error.sqlState == "55P03" { throw error }
            return try readAlone(id, besides: [], withTopic: readsTopic, logs: logs, in: &session)
        }
    }

    /// - Parameter missing: its fate where its user is not among the locked.
    static func fate(
        of event: ConversationEvent?,
        in fold: inout FriendshipFold,
        missing: EventFate,
        by judge: (ConversationEvent) -> Verdict?
    ) -> EventFate {
        guard let event else { return .missing }
        if event.isSettled { return .settled }
        if let defect = event.defect ?? fold.defect(of: event) {
            return .failed(defect, mayPass: false)
        }
        if !fold.has(event.userID) { return missing }
        switch judge(event) {
        case nil: return .changed
        case .failed(let failure, let mayPass): return .failed(failure, mayPass: mayPass)
        case .scored(let scored):
            guard let level = fold.apply(scored, to: event) else { return missing }
            return .applied(change: scored.score.change, level, user: event.userID)
        }
    }

    /// Marks events whose message was dead-lettered or waits for a retry.
    ///
    /// - Parameter statement: `SQL.recordFailures`, or one that writes less.
    func record(
        _ failures: [EventFailure],
        by statement: Statement = SQL.recordFailures,
        on slot: ThreadPool.Slot
    ) throws(PostgresError) {
        let parameters: [Parameter] = [
            .textArray(failures.map(\.conversationID.text)),
            .textArray(failures.map(\.failure.code)), .textArray(failures.map(\.failure.reason)),
            .textArray(failures.map { $0.retryAfter.map(String.init) }),
        ]
        try sessions.withSession(preferring: slot) { session throws(PostgresError) in
            _ = try session.flight([(statement, parameters)])
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
