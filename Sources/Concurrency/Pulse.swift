import Glibc
import Synchronization

/// The deadline by which a thread reports again, for the watchdog and the liveness probe. A thread
/// extends it before a wait that may rightly take long; a thread that hangs becomes overdue.
package final class Pulse: Sendable {
    /// What it is the pulse of, for the log.
    package let name: String
    /// In nanoseconds of the monotonic clock, which stands still while the machine sleeps; the
    /// greatest there is while nothing is owed. Written by the thread, read by any.
    private let deadline = Atomic<Int64>(.max)

    /// Chosen: for a thread that is ready to run, on a machine that is very busy.
    private static let grace: Duration = .seconds(10)

    package init(name: String) {
        self.name = name
    }

    /// The thread is well, and will say so again.
    ///
    /// - Parameter limit: the longest it may rightly take.
    package func expect(within limit: Duration) {
        let due = Self.now + Int64((limit + Self.grace) / .nanoseconds(1))
        deadline.store(due, ordering: .relaxed)
    }

    /// The thread's work is over: nothing is to be heard of it.
    package func end() {
        deadline.store(.max, ordering: .relaxed)
    }

    package var isOverdue: Bool { deadline.load(ordering: .relaxed) < Self.now }

    private static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
