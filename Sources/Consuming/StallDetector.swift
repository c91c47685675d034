/// Tells a consumer that is given nothing from a queue that has nothing. Pure.
///
/// After a silence it asks how many messages are ready. A queue may be seen between a publish and
/// its delivery, so it takes two such looks in a row to call it a stall.
package struct StallDetector: Sendable {
    private let timeout: Duration
    private var nextProbe: ContinuousClock.Instant
    private var isSuspicious = false
    /// How often the consumer has been found stalled since it was last given something, or the
    /// queue was last seen empty.
    package private(set) var stalls = 0

    /// - Parameter timeout: the silence after which to look.
    package init(timeout: Duration, at now: ContinuousClock.Instant) {
        self.timeout = timeout
        nextProbe = now + timeout
    }

    package mutating func delivered(at now: ContinuousClock.Instant) {
        stalls = 0
        restarted(at: now)
    }

    /// The consumer begins anew.
    package mutating func restarted(at now: ContinuousClock.Instant) {
        isSuspicious = false
        nextProbe = now + timeout
    }

    package func isProbeDue(at now: ContinuousClock.Instant) -> Bool { now >= nextProbe }

    /// Takes what the look has found.
    ///
    /// - Parameter ready: messages in the queue that are delivered to no consumer.
    /// - Returns: whether the consumer is stalled.
    package mutating func probed(ready: Int, at now: ContinuousClock.Instant) -> Bool {
        let isStalled = ready > 0 && isSuspicious
        isSuspicious = ready > 0
        if isStalled { stalls += 1 } else if ready == 0 { stalls = 0 }
        // The second look comes soon.
        nextProbe = now + (isSuspicious ? min(timeout, .seconds(1)) : timeout)
        return isStalled
    }

    /// How long until the next look.
    package func wait(from now: ContinuousClock.Instant) -> Duration {
        max(.zero, now.duration(to: nextProbe))
    }
}
