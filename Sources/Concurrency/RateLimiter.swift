/// A token bucket: so many starts a second on average, and a bounded number of them at once.
///
/// A caller that takes a token is told when it may spend it, so callers go in order of arrival.
/// Pure: the caller has the clock.
package struct RateLimiter: Sendable {
    package typealias Instant = ContinuousClock.Instant

    /// Between two tokens; zero without a limit.
    private let interval: Duration
    /// How far a quiet time may be made up for.
    private let burst: Duration
    /// When the next token is due.
    private var next: Instant?
    /// Before this nothing is due.
    private var pausedUntil: Instant?

    /// - Parameters:
    ///   - perSecond: more than 0; nil for no limit.
    ///   - atOnce: most tokens that need not wait for each other, 1 or more; nil for a second's
    ///     worth.
    package init(perSecond: Double?, atOnce: Int? = nil) {
        let interval: Duration = perSecond.map { .seconds(1 / $0) } ?? .zero
        self.interval = interval
        // One is always to be had.
        burst = atOnce.map { interval * ($0 - 1) } ?? max(.zero, .seconds(1) - interval)
    }

    /// Takes a token.
    ///
    /// - Returns: how long to wait before it may be spent.
    package mutating func take(at now: Instant) -> Duration {
        let due = due(at: now)
        next = due + interval
        return max(.zero, now.duration(to: due))
    }

    /// Takes a token if it may be spent at once. A refusal costs those that come later nothing.
    package mutating func takeAtOnce(at now: Instant) -> Bool {
        let due = due(at: now)
        guard due <= now else { return false }
        next = due + interval
        return true
    }

    /// Lets no caller through before an instant.
    package mutating func pause(until end: Instant) {
        pausedUntil = max(pausedUntil ?? end, end)
    }

    private func due(at now: Instant) -> Instant {
        let earliest = now - burst
        return max(next ?? earliest, pausedUntil ?? earliest, earliest)
    }
}

extension Locked<RateLimiter> {
    /// Suspends until a token may be spent.
    ///
    /// - Throws: `CancellationError`; the token is spent then, too.
    package func wait() async throws {
        let delay = withLock { $0.take(at: .now) }
        if delay > .zero { try await Task.sleep(for: delay) }
    }
}
