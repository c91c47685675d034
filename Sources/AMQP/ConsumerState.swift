import Concurrency
import Consuming
import Messaging

/// What the channel thread knows from one session to the next.
struct ConsumerState {
    var machine: ConsumerStateMachine
    var detector: StallDetector
    let times: SettlementTimes
    /// The delivery over the size limit, of this session or an earlier one, that is on its way to
    /// the dead letters. There is never more than one.
    var oversized: DeliveryID?
    /// Attempts to open a session so far; chooses the host.
    var attempt = 0
    /// How often it has gone back to its first host.
    var moves = 0
    /// Differences of the queue that were logged before.
    var differences: Set<String> = []
    /// When the open session began; nil while none is open.
    var openedAt: ContinuousClock.Instant?
    /// When the last session was lost, or the first attempt failed; nil while a session is open.
    var lostAt: ContinuousClock.Instant?

    init(_ settings: Consumer.Settings) {
        machine = ConsumerStateMachine(
            drainTimeout: settings.drainTimeout,
            backoff: Backoff(ways: settings.endpoint.addresses.count)
        )
        detector = StallDetector(timeout: settings.stallTimeout, at: .now)
        times = SettlementTimes()
    }
}
