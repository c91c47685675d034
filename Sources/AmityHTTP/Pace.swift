import Concurrency

/// Answers so many requests a second, and has the rest wait, or go: the processor is the
/// consumer's. The line is as short as there are connections, for each has one request under way.
struct Pace: Sendable {
    private let interval: Duration
    /// So much of it may come at once.
    private let burst: Duration
    /// When the next one is due.
    private let nextDue: Locked<ContinuousClock.Instant>

    /// - Parameter atOnce: most that need not wait for each other; a second's worth where nothing
    ///   is said.
    init(perSecond rate: Int, atOnce count: Int? = nil) {
        interval = .seconds(1) / rate
        burst = interval * (count ?? rate)
        nextDue = Locked(.now - burst)
    }

    func wait() async throws {
        let delay = delay(at: .now)
        if delay > .zero { try await Task.sleep(for: delay) }
    }

    /// How long the request that comes now is to wait.
    func delay(at now: ContinuousClock.Instant) -> Duration {
        nextDue.withLock { nextDue in
            nextDue = max(nextDue, now - burst) + interval
            return max(.zero, now.duration(to: nextDue))
        }
    }

    /// Whether one that will not wait may come now. Who may not costs those after it nothing.
    func admits(at now: ContinuousClock.Instant = .now) -> Bool {
        nextDue.withLock { nextDue in
            let due = max(nextDue, now - burst) + interval
            guard due <= now else { return false }
            nextDue = due
            return true
        }
    }
}
