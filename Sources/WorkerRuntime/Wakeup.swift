import Foundation

/// Ends a thread's wait early. Rings that come while the thread is busy count as one.
package final class Wakeup: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)

    package init() {}

    package func ring() { semaphore.signal() }

    /// Blocks the calling thread until it rings, for `duration` at most.
    ///
    /// - Parameter earliest: it does not return before, so that many rings are one turn.
    package func wait(for duration: Duration, atLeastUntil earliest: ContinuousClock.Instant) {
        _ = semaphore.wait(timeout: .now() + duration / .seconds(1))
        let rest = ContinuousClock.now.duration(to: earliest) / .seconds(1)
        if rest > 0 { Thread.sleep(forTimeInterval: rest) }
        while semaphore.wait(timeout: .now()) == .success {}
    }
}
