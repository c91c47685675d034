import WorkerHealth

/// Turns counts that only grow into what has happened in each step. Pure.
///
/// A sample that could not be stored is part of the next one, but for its ack times.
struct WorkerSampler {
    struct Sample: Equatable {
        var done: Int
        var retried: Int
        var dead: Int
        /// nil when nothing was acked.
        var ackTimes: WorkerCounts.AckTimes?
        fileprivate let totals: WorkerCounts.Totals
        fileprivate let at: ContinuousClock.Instant
    }

    /// Chosen: an hour of it is 360 rows a worker.
    static let step: Duration = .seconds(10)

    private var before = WorkerCounts.Totals()
    private var nextAt: ContinuousClock.Instant

    init(at now: ContinuousClock.Instant) {
        nextAt = now + Self.step
    }

    /// - Parameter ackTimes: asked only when a sample is due.
    /// - Returns: nil until one is due.
    func next(
        _ totals: WorkerCounts.Totals,
        _ ackTimes: () -> WorkerCounts.AckTimes?,
        at now: ContinuousClock.Instant
    ) -> Sample? {
        if now < nextAt { return nil }
        return Sample(
            done: totals.done - before.done,
            retried: totals.retried - before.retried,
            dead: totals.dead - before.dead,
            ackTimes: ackTimes(),
            totals: totals,
            at: now
        )
    }

    /// Drops what has happened up to now: no sample will contain it.
    mutating func skip(_ totals: WorkerCounts.Totals, at now: ContinuousClock.Instant) {
        before = totals
        nextAt = now + Self.step
    }

    mutating func stored(_ sample: Sample?) {
        guard let sample else { return }
        before = sample.totals
        // As often as the step says, even if the caller is a little late each time.
        nextAt = max(nextAt + Self.step, sample.at)
    }
}
