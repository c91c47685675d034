import Concurrency
import Dispatch
import Synchronization

/// Counts rings, so that a test sees whether a wake-up was lost or wasted.
package final class CountingBell: Bell {
    package let rings = Atomic(0)
    package let posted = DispatchSemaphore(value: 0)
    /// What happens at the moment the reader silences the bell.
    package let onSilence = Locked<(@Sendable () -> Void)?>(nil)

    package init() {}

    package func ring() {
        rings.add(1, ordering: .sequentiallyConsistent)
        posted.signal()
    }

    package func silence() {
        onSilence.withLock { $0 }?()
    }
}
