import Concurrency
import Glibc
import Synchronization

/// Bounds every call of the library from outside. The library has calls without a deadline, such as
/// a publish to a broker that has stopped reading; a call that lasts too long has its socket shut
/// under it, and fails.
final class Watchdog: Sendable {
    /// One connection's part: its thread says when a call begins and ends.
    final class Watch: Sendable {
        fileprivate let descriptor: Int32
        let limit: Duration
        /// In nanoseconds of the monotonic clock; 0 while no call is under way. Written by the
        /// connection's thread, read by the watchdog's.
        private let deadline = Atomic<UInt64>(0)
        private let fired = Atomic(false)

        fileprivate init(descriptor: Int32, limit: Duration) {
            self.descriptor = descriptor
            self.limit = limit
        }

        /// Whether the socket was shut.
        var hasFired: Bool { fired.load(ordering: .acquiring) }

        func begin() {
            let limit = UInt64(limit / .nanoseconds(1))
            deadline.store(Watchdog.now + limit, ordering: .relaxed)
        }

        func end() {
            deadline.store(0, ordering: .relaxed)
        }

        fileprivate func look() {
            let deadline = deadline.load(ordering: .relaxed)
            guard deadline != 0, deadline < Watchdog.now else { return }
            fire()
        }

        fileprivate func fire() {
            fired.store(true, ordering: .releasing)
            shutdown(descriptor, Int32(SHUT_RDWR))
        }
    }

    /// Of all connections of the process. Its thread starts with the first.
    static let shared = Watchdog()

    private let watches = Locked<[ObjectIdentifier: Watch]>([:])

    private init() {
        startThread(name: "amity-watchdog", stackBytes: 256 << 10) {
            while true {
                sleep(1)
                // Under the lock, so that no socket is closed, and its number given away,
                // meanwhile.
                self.watches.withLock { watches in
                    for watch in watches.values { watch.look() }
                }
            }
        }
    }

    /// - Parameter limit: what one call may take.
    func watch(_ descriptor: Int32, limit: Duration) -> Watch {
        let watch = Watch(descriptor: descriptor, limit: limit)
        watches.withLock { $0[ObjectIdentifier(watch)] = watch }
        return watch
    }

    /// Has the call that is under way, and every one after it, fail; does nothing when the
    /// connection is gone.
    func fire(_ watch: Watch) {
        watches.withLock { if $0[ObjectIdentifier(watch)] != nil { watch.fire() } }
    }

    /// To be called before the descriptor is closed.
    func forget(_ watch: Watch) {
        _ = watches.withLock { $0.removeValue(forKey: ObjectIdentifier(watch)) }
    }

    fileprivate static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
