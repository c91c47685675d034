import Synchronization

/// Says when a loop was last seen to turn: one that has stopped turning is beyond repair, and its process
/// is to be started anew. Beaten by the loop, read by anybody.
package final class Pulse: Sendable {
    private let origin = ContinuousClock.now
    /// Milliseconds after `origin`.
    private let last = Atomic<Int64>(0)

    package init() {}

    package func beat(at now: ContinuousClock.Instant = .now) {
        last.store(milliseconds(now), ordering: .relaxed)
    }

    /// Time since the last beat, or since the making of this.
    package func silence(at now: ContinuousClock.Instant = .now) -> Duration {
        .milliseconds(max(0, milliseconds(now) - last.load(ordering: .relaxed)))
    }

    private func milliseconds(_ instant: ContinuousClock.Instant) -> Int64 {
        let (seconds, attoseconds) = origin.duration(to: instant).components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
