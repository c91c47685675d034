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

/// Conversations and friendships in PostgreSQL, two round trips for a batch of any size.
///
/// Several conversations in one transaction, under locks:
///
/// - lock: BEGIN, lock the users of the events, in an order that the server sorts, so that batches
///   never deadlock; then read the events, with a later snapshot than the locks;
/// - write: users, events, COMMIT.
///
/// The events themselves are not locked: a worker scores an event only while it holds its user's
/// lock, and if another process settles the event meanwhile, the write fails as a whole.
///
/// A single conversation, without a lock that outlives a statement: read both rows; write both, if
/// the user still is as read. If another worker changed the user first, it is done again under
/// locks.
///
/// Between the two the batch is scored and folded in Swift, in order of arrival, which takes
/// microseconds. Conversations that have an agent, and so may move a topic, take a round trip more;
/// so do users that are new.
package struct ConversationStore: Sendable {
    let sessions: SessionPool
    /// nil where no analysis costs anything.
    private let analyses: KeptAnalyses?

    package init(sessions: SessionPool, keeping analyses: KeptAnalyses? = nil) {
        self.sessions = sessions
        self.analyses = analyses
    }

    /// Runs what may touch the table of analyses, if there is one.
    private func usingAnalyses<Value>(
        _ body: (_ isOn: Bool) throws(PostgresError) -> Value
    ) throws(PostgresError) -> Value {
        guard let analyses else { return try body(false) }
        return try analyses.using(body)
    }

    /// Reads events without a lock, for a caller that may take long to analyse them.
    ///
    /// - Returns: the events there are, with what of their analyses was paid for.
    func load(
        _ ids: [ExactText],
        on slot: ThreadPool.Slot
    ) throws(PostgresError) -> [(event: ConversationEvent, paid: PaidAnalysis)] {
        let texts = Parameter.textArray(ids.map(\.text))
        return try usingAnalyses { isKept throws(PostgresError) in
            try sessions.withSession(preferring: slot) { session throws(PostgresError) in
                let read = try session.flight(
                    [(SQL.readEvents, [texts, .text("t")])]
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

    /// Closes sessions that have idled for a minute.
    package func closeIdleSessions() {
        sessions.close(idleFor: .seconds(60))
    }

    /// Scores conversations in one transaction.
    ///
    /// - Parameters:
    ///   - ids: in order of arrival, each once.
    ///   - readsLogs: whether `score` needs them.
    ///   - judge: called for each event that is not settled, with what of its analysis was paid
    ///     for. It must not wait, because locks may be held. Called again for a single event
    ///     where another worker changed its user first. Answers nil for an event that changed.
    ///   - waits: whether to wait for locks on users. Those it does not wait for are `locked`.
    ///   - apart: whether to write each user apart, so one the server refuses leaves the others.
    /// - Returns: the fate of each.
    func settle(
        _ ids: [ExactText],
        readsLogs: Bool,
        waits: Bool = true,
        apart: Bool = false,
        on slot: ThreadPool.Slot,
        by judge: @Sendable (ConversationEvent, PaidAnalysis) -> Verdict?
    ) throws(PostgresError) -> Settling {
        try usingAnalyses { isKept throws(PostgresError) in
            try sessions.withSession(preferring: slot) { session throws(PostgresError) in
                if let only = ids.first, ids.count == 1, waits, !isKept,
                    let fate = try Self.settleAlone(
                        only,
                        readsLogs: readsLogs,
                        in: &session,
                        by: judge
                    )
                {
                    var settling = Settling(fates: [only: fate])
                    if case .applied = fate { settling.passed = .scoring }
                    return settling
                }
                return try Self.settleUnderLocks(
                    ids,
                    readsLogs: readsLogs,
                    isKept: isKept,
                    waits: waits,
                    apart: apart,
                    in: &session,
                    by: judge
                )
            }
        }
    }

    /// - Returns: nil for a conversation that is to be settled under locks: its user is new, it may
    ///   move a topic, or another worker changed its user.
    private static func settleAlone(
        _ id: ExactText,
        readsLogs: Bool,
        in session: inout Session,
        by judge: (ConversationEvent, PaidAnalysis) -> Verdict?
    ) throws(PostgresError) -> EventFate? {
        let read = try session.flight([
            (SQL.readConversation, [.text(id.text), .text(readsLogs ? "t" : "f")])
        ])[0]
        // `settleUnderLocks` finds out which table has several rows.
        if read.count > 1 { return nil }
        guard let (event, user) = try read.first(SQL.conversation), event.conversationID == id
        else { return .missing }
        if event.isSettled { return .settled }
        if let defect = event.defect { return .failed(defect, mayPass: false) }
        guard event.agent == nil, let user else { return nil }
        var fold = FriendshipFold(users: [event.userID: user], at: Date())
        let fate = fate(of: event, in: &fold, missing: .changed) { judge($0, PaidAnalysis()) }
        guard let write = fold.conversationUpdate(of: user.level) else { return fate }
        Failpoint.written.hit()
        let isDone = try session.flight([write])[0].first(SQL.isUpdated) ?? false
        Failpoint.committed.hit()
        return isDone ? fate : nil
    }

    private static func settleUnderLocks(
        _ ids: [ExactText],
        readsLogs: Bool,
        isKept: Bool,
        waits: Bool,
        apart: Bool,
        in session: inout Session,
        by judge: (ConversationEvent, PaidAnalysis) -> Verdict?
    ) throws(PostgresError) -> Settling {
        let texts = Parameter.textArray(ids.map(\.text))
        let lock: [(Statement, [Parameter])] =
            [
                (.begin, []), (waits ? SQL.lockUsers : SQL.lockFreeUsers, [texts]),
                (SQL.readEvents, [texts, .text(readsLogs ? "t" : "f")]),
            ] + (isKept ? [(KeptAnalyses.load, [texts])] : [])
        var locked = try LockedEvents(try session.flight(lock))
        var passed: FaultEvidence.Steps = []
        let strangers = locked.strangers
        if !strangers.isEmpty {
            // In a transaction of its own: to wait for another's insert with locks in hand could
            // end in a deadlock.
            let users = Parameter.textArray(strangers)
            _ = try session.flight([(.rollback, []), (SQL.insertUsers, [users])])
            passed.insert(.newUser)
            locked = try LockedEvents(try session.flight(lock))
            if waits { try locked.findOtherSpellings(in: &session) }
        }
        let events = locked.events
        var fold = try Self.fold(locked.users, moving: events.values, in: &session)
        var fates: [ExactText: EventFate] = [:]
        for id in ids {
            fates[id] = Self.fate(of: events[id], in: &fold, missing: waits ? .changed : .locked) {
                judge($0, locked.paid[id] ?? PaidAnalysis())
            }
        }
        let refused = apart ? try writeApart(&fold, to: &session) : []
        for id in refused.flatMap(\.conversations) { fates[id] = nil }
        let over = locked.paid.keys.filter { fates[$0]?.isOver ?? false }
        if !fold.isEmpty { passed.insert(fold.movesTopics ? [.scoring, .topics] : .scoring) }
        try Self.write(fold, isWritten: apart, forgetting: over.map(\.text), to: &session)
        return Settling(fates: fates, passed: passed, refused: refused)
    }

    /// Writes each user under a savepoint, and takes out of `fold` those that the server refuses.
    /// The server skips what follows a refusal in its flight, so those are sent again: a flight
    /// more for each user that is refused.
    private static func writeApart(
        _ fold: inout FriendshipFold,
        to session: inout Session
    ) throws(PostgresError) -> [Settling.Refusal] {
        var refused: [Settling.Refusal] = []
        var waiting = fold.touchedUsers.map { (user: $0, part: fold.part(of: $0)) }[...]
        var takingBack: [(Statement, [Parameter])] = []
        var numberTaken = 0
        while !waiting.isEmpty || !takingBack.isEmpty {
            let next = waiting.prefix(16)
            let (rows, failure) = try session.openFlight(
                takingBack + next.flatMap { $0.part.writesApart }
            )
            guard let failure else {
                takingBack = []
                numberTaken += next.count
                waiting.removeFirst(next.count)
                continue
            }
            if session.isBroken { throw failure }
            let isTakenBack = rows.count >= takingBack.count
            let taken = (rows.count - takingBack.count) / FriendshipFold.statementsApart
            numberTaken += taken
            // Chosen: three refused before one is taken look like a schema that takes none.
            let isOfOne = failure.isAboutOneUser && (numberTaken > 0 || refused.count < 3)
            guard isOfOne, isTakenBack, taken < next.count else {
                _ = try session.flight([(.rollback, [])])
                throw failure
            }
            let (user, part) = next[next.startIndex + taken]
            refused.append(.init(conversations: part.conversations, error: failure))
            fold.leaveOut(user)
            takingBack = [(.takeBack, []), (.keep, [])]
            waiting.removeFirst(taken + 1)
        }
        return refused
    }

    /// - Parameter missing: its fate where its user is not among the locked.
    private static func fate(
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
        switch judge(event) {
        case nil: return .changed
        case .failed(let failure, let mayPass): return .failed(failure, mayPass: mayPass)
        case .scored(let scored):
            guard let level = fold.apply(scored, to: event) else { return missing }
            return .applied(change: scored.score.change, level, user: event.userID)
        }
    }

    /// Reads the topics that events may move, under the users' locks.
    private static func fold(
        _ users: LockedUsers,
        moving events: some Collection<ConversationEvent>,
        in session: inout Session
    ) throws(PostgresError) -> FriendshipFold {
        let open = events.filter { !$0.isSettled && $0.defect == nil && $0.agent != nil }
        if open.isEmpty { return try FriendshipFold(users, at: Date()) }
        let agents = Parameter.textArray(Set(open.compactMap(\.agent)).map(\.text))
        let movers = Parameter.textArray(Set(open.map { users.stored($0.userID) }).map(\.text))
        let read = try session.flight([
            (SQL.readAgenda, [agents]), (SQL.readTopics, [movers, agents]),
        ])
        let agenda = try Agenda(read[0])
        return try FriendshipFold(users, agenda: agenda, topics: read[1], at: Date())
    }

    private static func write(
        _ fold: FriendshipFold,
        isWritten: Bool,
        forgetting paid: [String],
        to session: inout Session
    ) throws(PostgresError) {
        if fold.isEmpty {
            _ = try session.flight([(.rollback, [])])
            return
        }
        Failpoint.written.hit()
        let forget = (KeptAnalyses.forget, [Parameter.textArray(paid)])
        // Nothing follows COMMIT: until its answer is here, nothing has happened.
        _ = try session.flight(
            (isWritten ? [] : [fold.userUpdate, fold.eventUpdate])
                + (paid.isEmpty ? [] : [forget]) + [(.commit, [])]
        )
        Failpoint.committed.hit()
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

extension PostgresError {
    /// Whether a transaction may go on without the user of whom it was said, as far as the SQLSTATE
    /// says: no lock, race, time limit or state of the server.
    fileprivate var isAboutOneUser: Bool {
        switch kind {
        case .permanent, .misconfigured, .unknown: !endsSession
        case .conflict: isGuard
        case .timeout, .unavailable: false
        }
    }
}
