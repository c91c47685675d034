/// Capped exponential delays with full jitter, so that replicas do not return in step.
package struct Backoff: Sendable {
    private let first: Duration
    private let cap: Duration
    private var attempt = 0

    package init(first: Duration = .milliseconds(100), cap: Duration = .seconds(10)) {
        self.first = first
        self.cap = cap
    }

    /// The next delay: at random between half and all of `first` × 2ⁿ, at most `cap`.
    package mutating func next(
        using generator: inout some RandomNumberGenerator
    ) -> Duration {
        let doubled = first * (1 << min(attempt, 20))
        attempt += 1
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
