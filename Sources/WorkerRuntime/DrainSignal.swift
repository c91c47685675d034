import Foundation
import Synchronization

/// Says once that the worker is to stop, and wakes whoever waits in the meantime.
package final class DrainSignal: Sendable {
    private let raised = Atomic(false)
    private let condition = NSCondition()

    package init() {}

    package var isRaised: Bool { raised.load(ordering: .acquiring) }

    package func raise() {
        condition.withLock {
            raised.store(true, ordering: .releasing)
            condition.broadcast()
        }
    }

    /// Blocks the calling thread for `duration`, or until the signal is raised.
    ///
    /// - Returns: whether the signal is raised.
    @discardableResult
    package func wait(for duration: Duration) -> Bool {
        let deadline = Date(timeIntervalSinceNow: duration / .seconds(1))
        return condition.withLock {
            while !isRaised, condition.wait(until: deadline) {}
            return isRaised
        }
    }
}
