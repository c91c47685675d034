import Tasks

/// Whether this process leads, and whether the database has answered it for so long that workers
/// which were silent meanwhile are lost. Pure.
struct Leadership: Sendable {
    /// Between two renewals.
    static let interval = Duration.seconds(1)
    /// Answers further apart than this are no unbroken row: the database, or this machine, was
    /// away. Chosen: three renewals.
    static let longestGap = Duration.seconds(3)
    private static let lease = Duration.seconds(TaskStore.leaderLease)
    private static let silence = Duration.seconds(TaskStore.workerLease)

    /// Where the lease ends for certain: it began in the database after the renewal was sent.
    private var leadsUntil: ContinuousClock.Instant?
    /// The first and the last answer of a row without a failure.
    private var answers: (first: ContinuousClock.Instant, last: ContinuousClock.Instant)?

    /// The database has answered a renewal.
    mutating func answered(
        leads: Bool,
        sentAt: ContinuousClock.Instant,
        at now: ContinuousClock.Instant
    ) {
        leadsUntil = leads ? sentAt + Self.lease : nil
        if let answers, now <= answers.last + Self.longestGap {
            self.answers = (answers.first, now)
        } else {
            answers = (now, now)
        }
    }

    mutating func failed() { answers = nil }

    func leads(at now: ContinuousClock.Instant) -> Bool { leadsUntil.map { now < $0 } ?? false }

    /// Whether a worker that has not renewed its lease could have done so.
    func mayCallLost(at now: ContinuousClock.Instant) -> Bool {
        guard leads(at: now), let answers else { return false }
        return answers.first + Self.silence <= now && now <= answers.last + Self.longestGap
    }
}
