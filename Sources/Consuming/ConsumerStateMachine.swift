import Concurrency
import Messaging

/// The life of a consumer: which state may follow which, and what to do on each event.
///
///     connecting ──opened──▶ consuming ──drain──▶ draining ──settled, time over, lost──▶ stopped
///         ▲ ╰─drain─▶ stopped    │
///         ╰────────lost──────────╯
///
/// A move drains, too, and then connects again.
///
/// While it consumes, it may be paused: the session stays, and the broker is asked for nothing.
///
/// Pure: no socket, no lock; time and randomness are handed in. Each event answers with an action,
/// which the channel thread performs.
package struct ConsumerStateMachine: Sendable {
    package enum Action: Sendable, Equatable {
        /// Wait, then open a session.
        case connect(after: Duration)
        /// Ask the broker for no more deliveries, and give back those that have not begun.
        case cancelConsumer
        /// Ask the broker for deliveries again.
        case resumeConsumer
        /// Say goodbye. `unfinished` deliveries are still running; the broker requeues them.
        case close(unfinished: Int)
        /// The thread's work is over.
        case stop
    }

    /// What to do with a delivery that has arrived.
    package enum Arrival: Sendable, Equatable {
        case dispatch(DeliveryID)
        /// It came when none was asked for any more; it goes back with the next frames, no attempt
        /// spent.
        case giveBack
    }

    private enum State: Sendable {
        case connecting
        case consuming(SettlementLedger, isOn: Bool)
        case draining(SettlementLedger, deadline: ContinuousClock.Instant, isMove: Bool)
        case stopped
    }

    /// A session that lives so long, or is given anything, was a good one. One that is lost at
    /// once, over and over, must not be hurried. Chosen.
    private static let proof = Duration.seconds(1)

    private var state = State.connecting
    private var backoff: Backoff
    private var random: any RandomNumberGenerator & Sendable
    private let drainTimeout: Duration
    /// Generation of the last session that was opened, 0 before the first.
    package private(set) var session: UInt64 = 0

    package init(
        drainTimeout: Duration,
        backoff: Backoff = .init(),
        random: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()
    ) {
        self.drainTimeout = drainTimeout
        self.backoff = backoff
        self.random = random
    }

    /// Deliveries that the broker counts as unsettled in this session.
    package var unsettled: Int { ledger?.unsettled ?? 0 }

    /// The same of deliveries after that one alone.
    package func unsettled(after tag: UInt64) -> Int {
        tag == 0 ? unsettled : ledger?.unsettled(after: tag) ?? 0
    }

    /// The last delivery of this session, 0 before the first.
    package var lastTag: UInt64 { ledger?.lastTag ?? 0 }

    private var ledger: SettlementLedger? {
        switch state {
        case .consuming(let ledger, _), .draining(let ledger, _, _): ledger
        case .connecting, .stopped: nil
        }
    }

    // MARK: Events

    /// A session is open.
    ///
    /// - Parameter isConsuming: whether its consumer is registered.
    package mutating func opened(isConsuming: Bool = true) {
        guard case .connecting = state else {
            preconditionFailure("a session opens only while connecting")
        }
        session += 1
        state = .consuming(SettlementLedger(session: session), isOn: isConsuming)
    }

    /// Consumption was switched on or off, or is as it was.
    package mutating func consumption(isOn: Bool) -> Action? {
        guard case .consuming(let ledger, let wasOn) = state, isOn != wasOn else { return nil }
        state = .consuming(ledger, isOn: isOn)
        return isOn ? .resumeConsumer : .cancelConsumer
    }

    /// Whether the broker is asked for deliveries.
    package var isConsuming: Bool {
        if case .consuming(_, let isOn) = state { isOn } else { false }
    }

    /// The session is gone, or could not be opened. What was unsettled in it is the broker's again.
    ///
    /// - Parameter lifetime: how long it was open.
    package mutating func sessionLost(after lifetime: Duration = .zero) -> Action {
        if lifetime >= Self.proof { backoff.reset() }
        switch state {
        case .connecting, .consuming, .draining(_, _, isMove: true):
            state = .connecting
            return .connect(after: backoff.next(using: &random))
        case .draining, .stopped:
            state = .stopped
            return .stop
        }
    }

    package mutating func delivered(tag: UInt64) -> Arrival {
        let id = DeliveryID(session: session, tag: tag)
        backoff.reset()
        switch state {
        case .consuming(_, isOn: true):
            withLedger { $0.delivered(tag: tag) }
            return .dispatch(id)
        case .consuming, .draining:
            withLedger { ledger in
                ledger.delivered(tag: tag)
                _ = ledger.settle(Completion(id: id, settlement: .requeue))
            }
            return .giveBack
        case .connecting, .stopped:
            preconditionFailure("a delivery needs a session")
        }
    }

    /// The session has done something that is worth a session, though nothing was delivered.
    package mutating func progressed() { backoff.reset() }

    /// Records what became of a delivery.
    ///
    /// - Returns: false for one that is stale, unknown or settled before: it is to be forgotten.
    package mutating func settled(_ completion: Completion) -> Bool {
        withLedger { $0.settle(completion) } ?? false
    }

    /// The frames to send now, in this order.
    ///
    /// - Parameter most: how many acks to hold back while it consumes: see `Workload.acksToSpare`.
    package mutating func frames(
        at now: ContinuousClock.Instant,
        holding most: Int
    ) -> [SettlementLedger.Frame] {
        let most = isConsuming ? most : 0
        return withLedger { $0.frames(at: now, holding: most) } ?? []
    }

    /// The worker was asked to stop. A second request changes nothing.
    package mutating func drainRequested(at now: ContinuousClock.Instant) -> Action? {
        switch state {
        case .connecting:
            state = .stopped
            return .stop
        case .consuming(let ledger, _):
            state = .draining(ledger, deadline: now + drainTimeout, isMove: false)
            return .cancelConsumer
        case .draining(let ledger, let deadline, _):
            state = .draining(ledger, deadline: deadline, isMove: false)
            return nil
        case .stopped:
            return nil
        }
    }

    /// The session is to be opened on another node, once what runs is settled.
    package mutating func moveRequested(at now: ContinuousClock.Instant) -> Action? {
        guard case .consuming(let ledger, _) = state else { return nil }
        state = .draining(ledger, deadline: now + drainTimeout, isMove: true)
        return .cancelConsumer
    }

    /// What follows a session that has ended as it was asked to.
    package var next: Action {
        if case .connecting = state { .connect(after: .zero) } else { .stop }
    }

    /// Asked after every turn of the loop: whether the drain is over.
    package mutating func turnEnded(at now: ContinuousClock.Instant) -> Action? {
        guard case .draining(let ledger, let deadline, let isMove) = state,
            ledger.unsettled == 0 || deadline <= now
        else { return nil }
        state = isMove ? .connecting : .stopped
        return .close(unfinished: ledger.unsettled)
    }

    /// How long the loop may sleep if nothing else wakes it.
    package func longestSleep(
        from now: ContinuousClock.Instant,
        atMost limit: Duration
    ) -> Duration {
        var limit = limit
        if case .draining(_, let deadline, _) = state {
            limit = min(limit, now.duration(to: deadline))
        }
        if let end = ledger?.holdsUntil { limit = min(limit, now.duration(to: end)) }
        return max(.zero, limit)
    }

    private mutating func withLedger<R>(_ body: (inout SettlementLedger) -> R) -> R? {
        switch state {
        case .consuming(var ledger, let isOn):
            state = .stopped  // So that the ledger is held once and changes in place.
            defer { state = .consuming(ledger, isOn: isOn) }
            return body(&ledger)
        case .draining(var ledger, let deadline, let isMove):
            state = .stopped
            defer { state = .draining(ledger, deadline: deadline, isMove: isMove) }
            return body(&ledger)
        case .connecting, .stopped:
            return nil
        }
    }
}
