/// Capped exponential delays with full jitter, so that replicas do not return in step.
package struct Backoff: Sendable {
    private let first: Duration
    private let cap: Duration
    /// Ways to try one after the other, e.g. the nodes of a cluster: a delay comes after each
    /// round.
    private let ways: Int
    private var attempt = 0

    /// - Parameter cap: chosen so that work goes on within ten seconds of a server's return.
    package init(
        first: Duration = .milliseconds(100),
        cap: Duration = .seconds(8),
        ways: Int = 1
    ) {
        precondition(ways >= 1)
        self.first = first
        self.cap = cap
        self.ways = ways
    }

    /// The next delay: zero while there is a way that has not been tried in this round, else at
    /// random between half and all of `first` × 2ⁿ, at most `cap`.
    package mutating func next(
        using generator: inout some RandomNumberGenerator
    ) -> Duration {
        attempt += 1
        let (round, way) = attempt.quotientAndRemainder(dividingBy: ways)
        if way != 0 { return .zero }
        let doubled = first * (1 << min(round - 1, 20))
        return min(doubled, cap) * Double.random(in: 0.5...1, using: &generator)
    }

    package mutating func next() -> Duration {
        var generator = SystemRandomNumberGenerator()
        return next(using: &generator)
    }

    /// Begins again at `first`, after a success.
    package mutating func reset() {
        attempt = 0
    }
}
