import Foundation

/// Ends a thread's wait early. Rings that come while the thread is busy count as one.
package final class Wakeup: Sendable {
    private let condition = MonotonicCondition()
    /// Raised by those who ring, lowered by the thread that waits.
    private let isRung = Locked(false)

    package init() {}

    package func ring() {
        condition.change { isRung.withLock { $0 = true } }
    }

    /// Blocks the calling thread until it rings, for `duration` at most.
    ///
    /// - Parameter earliest: it does not return before, so that many rings are one turn.
    package func wait(for duration: Duration, atLeastUntil earliest: ContinuousClock.Instant) {
        condition.wait(atMost: duration) { isRung.withLock { $0 } }
        let rest = ContinuousClock.now.duration(to: earliest) / .seconds(1)
        if rest > 0 { Thread.sleep(forTimeInterval: rest) }
        isRung.withLock { $0 = false }
    }
}
