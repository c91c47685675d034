import Glibc

/// A lock with a condition whose timed waits follow the monotonic clock: a system clock that is set
/// back makes no wait longer.
///
/// `NSCondition` waits until a `Date`, and on Linux `DispatchSemaphore` until a time of the system
/// clock (sem_timedwait), whatever its argument was made from.
// `@unchecked` because the checker cannot know that POSIX allows every thread to use both objects;
// they are allocated once and stay where they are.
package final class MonotonicCondition: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    package init() {
        mutex.initialize(to: pthread_mutex_t())
        condition.initialize(to: pthread_cond_t())
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        let status = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        precondition(status == 0, "Linux has had this clock for conditions since 2.6")
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Runs `body` under the lock, then wakes every thread that waits.
    package func change<R>(_ body: () -> R) -> R {
        pthread_mutex_lock(mutex)
        let result = body()
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
        return result
    }

    /// Blocks the calling thread until `isDone`, which is asked under the lock at first and after
    /// every change.
    ///
    /// - Parameter limit: the longest wait; nil for no limit.
    /// - Returns: the last answer of `isDone`.
    @discardableResult
    package func wait(atMost limit: Duration? = nil, until isDone: () -> Bool) -> Bool {
        let deadline = limit.map(Self.deadline(after:))
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while !isDone() {
            if var deadline {
                let status = pthread_cond_timedwait(condition, mutex, &deadline)
                if status == ETIMEDOUT { return isDone() }
            } else {
                pthread_cond_wait(condition, mutex)
            }
        }
        return true
    }

    private static func deadline(after limit: Duration) -> timespec {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        // A hundred years are no limit, and the sum must not overflow.
        let (seconds, attoseconds) = min(max(limit, .zero), .seconds(3_155_760_000)).components
        let nanoseconds = time.tv_nsec + Int(attoseconds / 1_000_000_000)
        time.tv_sec += Int(seconds) + nanoseconds / 1_000_000_000
        time.tv_nsec = nanoseconds % 1_000_000_000
        return time
    }
}

/// A counting semaphore whose timed wait follows the monotonic clock.
package final class MonotonicSemaphore: Sendable {
    private let condition = MonotonicCondition()
    private let value: Locked<Int>

    package init(value: Int) {
        self.value = Locked(value)
    }

    package func signal() {
        condition.change { value.withLock { $0 += 1 } }
    }

    /// Blocks the calling thread until the value is above zero, and takes one off.
    ///
    /// - Parameter limit: the longest wait; nil for no limit.
    /// - Returns: whether it took one.
    @discardableResult
    package func wait(atMost limit: Duration? = nil) -> Bool {
        condition.wait(atMost: limit) {
            value.withLock { value in
                guard value > 0 else { return false }
                value -= 1
                return true
            }
        }
    }
}
