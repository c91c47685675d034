import Concurrency
import Messaging

/// Fans out deliveries of several queues whose work is guarded by a row of the database: a thread
/// claims the row, the message is settled, and the same thread does the work.
///
/// Each queue has a lane with its priority; the choice between them is in `InboxLanes`. A message
/// waits here only until a thread is free. Where none becomes free for long it goes back: an idle
/// worker elsewhere may run it at once, and the broker's own limit on unsettled messages is not
/// met.
package final class ClaimDispatcher: QueueSetReceiver {
    /// What a look at the row has shown.
    package enum Claim: Sendable {
        /// It is this worker's: the message is settled, and then this does the work.
        case run(Work)
        /// It may end the process: it is claimed again when nothing else runs here.
        case suspect
        /// There is nothing to do, or not here.
        case settled(Settlement)
    }

    /// - Parameter giveUp: for work that may never end: has another thread take its place. To be
    ///   called once at most, from any other thread.
    /// - Returns: false where that was called meanwhile: then nothing more is done for it.
    package typealias Work = @Sendable (_ giveUp: @escaping @Sendable () -> Void) -> Bool

    /// - Parameter isAlone: whether nothing else runs, nor starts until this is done.
    package typealias Claiming =
        @Sendable (_ delivery: Delivery, _ isAlone: Bool, ThreadPool.Slot) -> Claim

    /// As long as a delivery waits at most while nothing begins. Chosen.
    package static let patience = Duration.seconds(60)

    private let loop: WorkLoop
    private let completions: Mailbox<Completion>
    private let claim: Claiming
    private let patience: Duration
    private let onFree: @Sendable () -> Void
    private let onRest: @Sendable (ThreadPool.Slot) -> Void
    /// Whether queues are paused until a thread is free.
    private let hasSurrendered = Locked(false)

    /// - Parameters:
    ///   - sources: the priority of each queue, by its number.
    ///   - onFree: called when a thread is free after a surrender.
    ///   - onRest: called by a thread that has nothing to do for now: after a piece of work where
    ///     nothing waits, and at the end.
    package init(
        pool: ThreadPool,
        sources: [WorkKind.Priority],
        completions: Mailbox<Completion>,
        patience: Duration = ClaimDispatcher.patience,
        onFree: @escaping @Sendable () -> Void,
        onRest: @escaping @Sendable (ThreadPool.Slot) -> Void = { _ in },
        claim: @escaping Claiming
    ) {
        let limits = sources.map { _ in 1 }
        let kinds = WorkKindIndex(sources: sources)
        loop = WorkLoop(pool: pool, kinds: kinds, keepsThreads: true) { limits }
        self.completions = completions
        self.patience = patience
        self.onFree = onFree
        self.onRest = onRest
        self.claim = claim
    }

    package var load: Workload { loop.inbox.withLock { $0.load } }

    /// Deliveries that wait, by the number of their queue.
    package var waiting: [Int] { loop.inbox.withLock(\.waiting) }

    package var mayStart: Bool { loop.inbox.withLock(\.mayStart) }

    package func submit(_ deliveries: [Delivery]) {
        if deliveries.isEmpty { return }
        startOperations(after: { $0.add(deliveries) })
    }

    /// Lets only a share of its threads begin work, at least one; never blocks.
    package func hold(to share: Double) { startOperations(after: { $0.hold(to: share) }) }

    private func startOperations(after change: (inout Inbox) -> Void) {
        loop.start(after: change, { self.perform($0, $1) })
    }

    package func withdraw() -> [Delivery] { loop.inbox.withLock { $0.withdraw() } }

    package func withdraw(from sources: Set<Int>) -> [Delivery] {
        loop.inbox.withLock { $0.withdraw(from: sources) }
    }

    package func surrender(at now: ContinuousClock.Instant) -> [Delivery] {
        let overdue = loop.inbox.withLock { $0.overdue(since: now - patience) }
        if !overdue.isEmpty { hasSurrendered.withLock { $0 = true } }
        // A thread may be kept for urgent work no longer.
        startOperations(after: { _ in })
        return overdue
    }

    /// Settles it: its row, if there is one, is found again by the scheduler.
    package func refuse(_ delivery: Delivery, because failure: Failure) {
        settle(delivery, .ack)
    }

    private func perform(_ piece: WorkLoop.Piece, _ slot: ThreadPool.Slot) -> Bool {
        let isOwn =
            switch piece {
            // One: see the limits.
            case .batch(let batch, kind: _): begin(batch[0], of: piece, false, slot)
            case .alone(let suspect): begin(suspect.delivery, of: piece, true, slot)
            case .rest: rest(slot)
            }
        // Only when its thread rests does it not count as busy.
        if isOwn, mayStart { becameFree() }
        return isOwn
    }

    private func rest(_ slot: ThreadPool.Slot) -> Bool {
        onRest(slot)
        return true
    }

    private func becameFree() {
        let wasSurrendered = hasSurrendered.withLock { hasSurrendered in
            defer { hasSurrendered = false }
            return hasSurrendered
        }
        if wasSurrendered { onFree() }
    }

    private func begin(
        _ delivery: Delivery,
        of piece: WorkLoop.Piece,
        _ isAlone: Bool,
        _ slot: ThreadPool.Slot
    ) -> Bool {
        switch claim(delivery, isAlone, slot) {
        case .run(let work):
            settle(delivery, .ack)
            let isOwn = work {
                self.loop.giveUp(piece, { self.perform($0, $1) })
                self.becameFree()
            }
            // It still counts as busy here.
            if isOwn, load.waiting == 0 { onRest(slot) }
            return isOwn
        case .suspect:
            let suspect = Inbox.Suspect(delivery: delivery, crashes: 1)
            if !loop.inbox.withLock({ $0.add([suspect]) }) { settle(delivery, .requeue) }
        case .settled(let settlement): settle(delivery, settlement)
        }
        return true
    }

    private func settle(_ delivery: Delivery, _ settlement: Settlement) {
        completions.post([Completion(id: delivery.id, settlement: settlement)])
    }
}
