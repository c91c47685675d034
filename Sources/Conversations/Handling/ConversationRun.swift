import Messaging
import Postgres

/// What one call of the handler has found out so far.
struct Run: ~Copyable {
    /// When messages go back, whatever is still to be done for them.
    let limit: ContinuousClock.Instant
    var outcomes: [ExactText: Outcome] = [:]
    /// By the event's id: an analysis is paid for once, however often its transaction is redone.
    var verdicts: [Int: Verdict] = [:]
    /// What was paid for and is not written down yet.
    var unkept: [ExactText: PaidAnalysis] = [:]
    /// Whether conversations are judged with no transaction open: it takes longer than one may
    /// last.
    var judgesFirst: Bool
    /// Whether others are likely to hold most of its users: it waits for them instead of leaving
    /// them, and as little as possible happens while it holds them itself.
    let areUsersContended: Bool
    /// Those that may not be put back where others have locked their users.
    let overdue: Set<ExactText>
    /// Until one wait for a lock was in vain.
    var waitsForLocks = true
    var roundBegan = ContinuousClock.now
    /// Whether the rest of this round waits, because the database takes no conversation.
    private(set) var isHeld = false
    /// Whether something is to be done again that may go better a moment later.
    var pauses = false
    /// How those are written that did not pass as one group.
    var apart: [ExactText: Apart] = [:]
    var hold: DatabaseOutage.Hold?
    /// Since when every row has been refused.
    var refusedSince: ContinuousClock.Instant?
    /// How often each lost a race, or its session.
    var conflicts: [ExactText: Int] = [:]
    var losses: [ExactText: Int] = [:]
    /// What one that is alone has met in this round.
    var refused: [Refusal] = []
    /// What was found to be about rows.
    var examined: Set<FaultEvidence.Fault> = []
    /// Of those that are alone, without one between that was not locked.
    var lockWaits = 0

    struct Refusal {
        var id: ExactText
        var error: PostgresError
        var fault: FaultEvidence.Fault
        let at = ContinuousClock.now
    }

    init(
        limit: ContinuousClock.Instant,
        judgesFirst: Bool,
        areUsersContended: Bool,
        overdue: Set<ExactText>
    ) {
        self.limit = limit
        self.judgesFirst = judgesFirst
        self.areUsersContended = areUsersContended
        self.overdue = overdue
    }

    mutating func beginRound() {
        roundBegan = .now
        isHeld = false
        pauses = false
    }

    /// Whether whatever is locked is more than a row: the others need not wait for it, too.
    var hasWaitedForSeveral: Bool { lockWaits >= 3 }

    mutating func hold(
        _ error: PostgresError,
        isEveryRow: Bool = false,
        _ outage: DatabaseOutage
    ) {
        outage.began(error, isEveryRow: isEveryRow, &hold)
        isHeld = true
        pauses = true
    }
}
