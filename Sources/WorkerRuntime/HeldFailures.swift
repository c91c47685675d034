/// What failed on one thread and is to be written down together, when the thread has nothing better
/// to do: writing it down takes as long as some good batches, which wait behind it. A crash
/// meanwhile costs one more run, as a crash within a batch does.
struct HeldFailures {
    /// A delivery that failed, and what is published instead of it.
    typealias Ended = (FailedDelivery, RetryPolicy.Disposition)

    /// What one handler writes down.
    struct Group {
        var kind: WorkKind
        var failed: [Ended]
    }

    /// Chosen: two full batches. They count for the prefetch, so they must not be many.
    static let most = 64
    /// Chosen: less than an operator who looks for a failed message would notice.
    var patience: Duration = .milliseconds(250)
    /// A batch behind which they waited for so long has met an outage, and to write them down may
    /// last as long again, which is more than the broker has them waited for. Chosen.
    static let longestWait: Duration = .seconds(30)

    /// No two of the same kind.
    private var groups: [Group] = []
    private var since: ContinuousClock.Instant?

    mutating func add(_ failed: [Ended], of kind: WorkKind, at now: ContinuousClock.Instant = .now)
    {
        since = since ?? now
        if let known = groups.firstIndex(where: { $0.kind.type == kind.type }) {
            groups[known].failed += failed
        } else {
            groups.append(Group(kind: kind, failed: failed))
        }
    }

    /// Whether they are to be given back, no attempt spent, and not to be written down any more.
    func areStale(at now: ContinuousClock.Instant = .now) -> Bool {
        since.map { $0 + Self.longestWait <= now } ?? false
    }

    /// - Parameter isResting: whether the thread has nothing else to do, or does what may last.
    /// - Returns: what is to be written down now.
    mutating func due(isResting: Bool, at now: ContinuousClock.Instant = .now) -> [Group] {
        guard let since else { return [] }
        let count = groups.reduce(0) { $0 + $1.failed.count }
        if !isResting, count < Self.most, now < since + patience { return [] }
        defer { (groups, self.since) = ([], nil) }
        return groups
    }
}
