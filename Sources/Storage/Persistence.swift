import Concurrency

/// Tries again and again while the database is away, with pauses that grow to two seconds.
package struct Persistence: Sendable {
    private let begin = ContinuousClock.now
    private let drain: DrainSignal
    private var backoff = Backoff(first: .milliseconds(10), cap: .seconds(2))

    /// - Parameter drain: ends the pauses, and the tries.
    package init(until drain: DrainSignal) {
        self.drain = drain
    }

    /// Blocks the calling thread for a pause.
    ///
    /// - Parameter limit: since the first try; the pause ends there.
    /// - Returns: whether to try once more.
    package mutating func mayTryAgain(within limit: Duration) -> Bool {
        let rest = ContinuousClock.now.duration(to: begin + limit)
        if rest <= .zero { return false }
        return !drain.wait(for: min(backoff.next(), rest)) && .now < begin + limit
    }
}
