/// Spreads requests over time: so many a second on average, and at most a second's worth at once.
///
/// A caller that takes a token is told when it may spend it, so callers wait in order of arrival.
/// Pure: the caller has the clock.
struct TokenBucket {
    typealias Instant = ContinuousClock.Instant

    /// Between two tokens; zero without a limit.
    private let interval: Duration
    /// How far a quiet time may be made up for.
    private let burst: Duration
    /// When the next token is due.
    private var next: Instant?
    /// Before this nothing is due: the service has said so.
    private var pausedUntil: Instant?

    /// - Parameter perSecond: more than 0; nil for no limit.
    init(perSecond: Double?) {
        interval = perSecond.map { .seconds(1 / $0) } ?? .zero
        // One request is always to be had.
        burst = max(.zero, .seconds(1) - interval)
    }

    /// Takes a token.
    ///
    /// - Returns: how long to wait before it may be spent.
    mutating func take(at now: Instant) -> Duration {
        let earliest = now - burst
        let due = max(next ?? earliest, pausedUntil ?? earliest, earliest)
        next = due + interval
        return max(.zero, now.duration(to: due))
    }

    /// Lets no caller through before an instant.
    mutating func pause(until end: Instant) {
        pausedUntil = max(pausedUntil ?? end, end)
    }
}
