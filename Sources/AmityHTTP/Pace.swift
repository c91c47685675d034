import WorkerRuntime

/// Answers so many requests a second, and has the rest wait: the processor is the consumer's. The line is
/// as short as there are connections, for each has one request under way.
struct Pace: Sendable {
    private let interval: Duration
    /// When the next one is due; one second's worth may come at once.
    private let nextDue = Locked(ContinuousClock.now)

    init(perSecond rate: Int) {
        interval = .seconds(1) / rate
    }

    func wait() async throws {
        let delay = delay(at: .now)
        if delay > .zero { try await Task.sleep(for: delay) }
    }

    /// How long the request that comes now is to wait.
    func delay(at now: ContinuousClock.Instant) -> Duration {
        nextDue.withLock { nextDue in
            nextDue = max(nextDue, now - .seconds(1)) + interval
            return max(.zero, now.duration(to: nextDue))
        }
    }
}
