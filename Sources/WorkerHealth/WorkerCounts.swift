import Concurrency
import Histogram
import Messaging

/// What this process does and has done, counted where it happens, for the registry.
///
/// Written by the threads of the pool and the channel thread, once a batch or a turn; read every
/// few seconds. One lock for all of it, so that what is read belongs together.
package final class WorkerCounts: Sendable {
    /// Since the start of the process; none of them ever sinks.
    package struct Totals: Sendable, Equatable {
        /// Messages whose effect is durable, `duplicates` included.
        package var done = 0
        /// Those of them whose effect was durable before.
        package var duplicates = 0
        package var retried = 0
        package var dead = 0
        /// Given back, no attempt spent.
        package var interrupted = 0
        /// Sessions with the broker after the first.
        package var reconnects = 0

        package init() {}

        /// Messages that have left the queue through this worker.
        package var settled: Int { done + retried + dead }
    }

    /// One message that failed, by its ids and codes.
    package struct RecentFailure: Sendable {
        package var at: ContinuousClock.Instant
        package var code: String
        /// The id of what it is about; nil when the message names nothing.
        package var subject: String?
        package var attempts: Int
        package var isDead: Bool
    }

    package struct Snapshot: Sendable {
        package var totals = Totals()
        /// Threads that have work in hand.
        package var busyThreads = 0
        /// Deliveries that the broker counts as unsettled.
        package var inFlight = 0
        package var lastDeliveryAt: ContinuousClock.Instant?
        /// The latest ones, the newest last.
        package var failures: [RecentFailure] = []
    }

    /// How long deliveries took from their arrival to their ack, in seconds.
    package struct AckTimes: Sendable, Equatable {
        package var count: Int
        package var p50: Double
        package var p99: Double

        package init(count: Int, p50: Double, p99: Double) {
            (self.count, self.p50, self.p99) = (count, p50, p99)
        }
    }

    private struct State {
        var snapshot = Snapshot()
        var sessions = 0
        /// Microseconds, up to an hour, to one percent: 20 KB.
        var ackTimes = Histogram<UInt64>(
            highestTrackableValue: 3_600_000_000,
            numberOfSignificantValueDigits: .two
        )
    }

    /// Failures that are kept. Chosen: what a person looks at.
    private static let failuresKept = 20

    private let state = Locked(State())

    package init() {}

    package var snapshot: Snapshot { state.withLock(\.snapshot) }

    /// The ack times since the last call; nil when there was no ack.
    package func takeAckTimes() -> AckTimes? {
        state.withLock { state in
            let times = state.ackTimes
            if times.totalCount == 0 { return nil }
            state.ackTimes.reset()
            return AckTimes(
                count: Int(times.totalCount),
                p50: Double(times.valueAtPercentile(50)) / 1e6,
                p99: Double(times.valueAtPercentile(99)) / 1e6
            )
        }
    }

    // MARK: By the threads of the pool

    package func threadBegan() { state.withLock { $0.snapshot.busyThreads += 1 } }

    package func threadEnded() { state.withLock { $0.snapshot.busyThreads -= 1 } }

    package func settled(done: Int, interrupted: Int) {
        state.withLock { state in
            state.snapshot.totals.done += done
            state.snapshot.totals.interrupted += interrupted
        }
    }

    package func failed(_ failure: Failure, attempts: Int, isDead: Bool) {
        let entry = RecentFailure(
            at: .now,
            code: failure.code,
            subject: failure.subject,
            attempts: attempts,
            isDead: isDead
        )
        state.withLock { state in
            if isDead {
                state.snapshot.totals.dead += 1
            } else {
                state.snapshot.totals.retried += 1
            }
            state.snapshot.failures.append(entry)
            let surplus = state.snapshot.failures.count - Self.failuresKept
            if surplus > 0 { state.snapshot.failures.removeFirst(surplus) }
        }
    }

    /// Some of what is done, or about to be, had been settled before.
    package func foundDuplicates(_ count: Int) {
        if count > 0 { state.withLock { $0.snapshot.totals.duplicates += count } }
    }

    // MARK: By the channel thread

    package func sessionOpened() {
        state.withLock { state in
            state.sessions += 1
            state.snapshot.totals.reconnects = state.sessions - 1
        }
    }

    package func sessionLost() { state.withLock { $0.snapshot.inFlight = 0 } }

    /// A turn of its loop is over.
    ///
    /// - Parameters:
    ///   - hasArrivals: whether deliveries came with it.
    ///   - acked: how long each of those took whose ack it sent.
    package func turned(hasArrivals: Bool, acked: [Duration], inFlight: Int) {
        state.withLock { state in
            state.snapshot.inFlight = inFlight
            if hasArrivals { state.snapshot.lastDeliveryAt = .now }
            for time in acked { state.ackTimes.record(time.wholeMicroseconds) }
        }
    }
}
