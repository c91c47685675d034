/// Spares a service that fails, and the callers that would wait for it: after several failures in a
/// row no request is sent for a while, then one is, and if that one is answered, all are sent.
///
///     closed ── failures in a row ─▶ open ── the pause is over ─▶ half open: one probe
///        ▲                            ▲                              │         │
///        └────────────────────────────┼───────────── answered ───────┘         │
///                                     └───────────── failed: a longer pause ───┘
///
/// Pure: the caller has the clock, and a lock if it needs one.
struct CircuitBreaker {
    typealias Instant = ContinuousClock.Instant

    /// Leave to ask. What becomes of it must be recorded, once.
    struct Ticket: Equatable {
        fileprivate let generation: Int
        /// Whether it is the only one that is asked, to find out.
        let isProbe: Bool
    }

    enum Verdict { case answered, failed, unknown }

    enum Change: Equatable {
        case opened(for: Duration)
        /// With the time that it was not closed.
        case closed(after: Duration)
    }

    private enum State {
        case closed(failures: Int)
        case open(since: Instant, until: Instant, pause: Duration)
        /// Half open, and the probe is under way.
        case probing(since: Instant, pause: Duration)
    }

    /// Chosen: a service that answers one call in five is still worth asking.
    private static let failuresToOpen = 5
    /// Chosen: long enough to spare it, short enough to notice its return.
    static let firstPause: Duration = .seconds(5)
    static let longestPause: Duration = .seconds(60)
    /// Most that is taken from the service's own word. Chosen.
    static let longestWish: Duration = .seconds(600)

    private var state = State.closed(failures: 0)
    /// Goes up whenever it opens or lets a probe through: what was asked before says nothing new.
    private var generation = 0

    /// Whether it has given the service up, be it that a probe may ask or not.
    var isOpen: Bool {
        switch state {
        case .closed: false
        case .open, .probing: true
        }
    }

    /// Whether `admit` would say no.
    func refuses(at now: Instant) -> Bool {
        switch state {
        case .closed: false
        case .open(_, let until, _): now < until
        case .probing: true
        }
    }

    /// - Returns: nil when the service is not to be asked.
    mutating func admit(at now: Instant) -> Ticket? {
        if refuses(at: now) { return nil }
        switch state {
        case .closed: return Ticket(generation: generation, isProbe: false)
        case .open(let since, _, let pause), .probing(let since, let pause):
            generation += 1
            state = .probing(since: since, pause: pause)
            return Ticket(generation: generation, isProbe: true)
        }
    }

    /// - Parameter wish: how long the service has asked to be left alone, if it has.
    mutating func record(
        _ verdict: Verdict,
        of ticket: Ticket,
        wish: Duration? = nil,
        at now: Instant
    ) -> Change? {
        guard ticket.generation == generation else { return nil }
        switch (state, verdict) {
        case (.closed, .answered):
            state = .closed(failures: 0)
            return nil
        case (.closed(let failures), .failed):
            // A Retry-After of at least `firstPause` opens the circuit at once; a shorter one only
            // asks for fewer requests, and counts as one failure.
            if wish ?? .zero < Self.firstPause, failures + 1 < Self.failuresToOpen {
                state = .closed(failures: failures + 1)
                return nil
            }
            return open(since: now, pause: Self.firstPause, wish: wish, at: now)
        case (.probing(let since, _), .answered):
            state = .closed(failures: 0)
            return .closed(after: since.duration(to: now))
        case (.probing(let since, let pause), .failed):
            let longer = min(pause * 2, Self.longestPause)
            _ = open(since: since, pause: longer, wish: wish, at: now)
            return nil
        case (.probing(let since, let pause), .unknown):
            // The next one may try.
            state = .open(since: since, until: now, pause: pause)
            return nil
        case (.closed, .unknown), (.open, _): return nil
        }
    }

    private mutating func open(
        since: Instant,
        pause: Duration,
        wish: Duration?,
        at now: Instant
    ) -> Change {
        let pause = max(pause, min(wish ?? .zero, Self.longestWish))
        generation += 1
        state = .open(since: since, until: now + pause, pause: min(pause, Self.longestPause))
        return .opened(for: pause)
    }
}
