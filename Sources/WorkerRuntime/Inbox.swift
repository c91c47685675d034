import DequeModule
import Messaging

/// What waits for a thread, and what may run beside what. Pure; the dispatcher locks it.
///
/// Deliveries wait in a lane for each kind of work, so kinds that arrive interleaved make full
/// batches. Which lane is next is in `InboxLanes`.
package struct Inbox {
    /// What a free thread is to do.
    enum Work {
        /// Deliveries of one kind: all of them for the first time, or all of them again.
        ///
        /// - Parameters:
        ///   - kind: the kind's number.
        ///   - round: that they count for, if they say something about the limit.
        case batch([Delivery], kind: Int, round: Int?)
        /// One that may kill the process: nothing runs beside it.
        case alone(Suspect)
        /// To ask again at that time, and not before.
        case later(ContinuousClock.Instant)
    }

    struct Suspect {
        var delivery: Delivery
        var crashes: Int
    }

    /// Work of one round that has been done.
    struct Tally: Equatable {
        var pieces = 0
        var messages = 0
        /// Time that threads spent on it.
        var busy: Duration = .zero
    }

    /// Threads that take what there is, be it one message. More of them start for full batches
    /// only: where a few are busy, batches that wait a moment and grow cost the database half as
    /// much. Chosen: two keep two processors busy, while one of them waits for the other's locks.
    private static let eager = 2
    /// How long a batch may grow at most: the threads that are busy may wait for a lock, or for a
    /// server that is far. Chosen: more than a full batch takes, and too little to be noticed.
    private static let patience: Duration = .milliseconds(20)

    /// Most operations that have work in hand. Those above a limit that sank end when they are
    /// done.
    private(set) var limit: Int
    /// Goes up with every change of the limit: what was begun under another one does not count.
    private var round = 0
    /// Of the work that was taken while more waited than there were threads for: only that says
    /// what the limit is good for.
    private(set) var tally = Tally()
    /// Together with `suspects` bounded by the prefetch count.
    private var lanes: InboxLanes
    private var suspects: Deque<Suspect> = []
    /// Operations queued or running.
    private var operations = 0
    /// Those of them that have work in hand.
    private var busy = 0
    /// Whether an operation waits for a batch to grow.
    private var isOneWaiting = false
    private var isAlone = false
    /// Whether all was taken back, and nothing has come since.
    private var isWithdrawn = false

    init(limit: Int, kinds: WorkKindIndex) {
        self.limit = limit
        lanes = InboxLanes(kinds: kinds)
    }

    var load: Workload {
        Workload(busy: busy, limit: limit, waiting: lanes.count + suspects.count)
    }

    /// Begins to count anew. Operations for what may now run besides are the caller's to start.
    mutating func begin(limit: Int) {
        if limit != self.limit { round += 1 }
        self.limit = limit
        tally = Tally()
    }

    mutating func add(_ arrived: [Delivery]) {
        isWithdrawn = false
        lanes.add(arrived)
    }

    /// - Returns: false when everything has been taken back meanwhile: so are they.
    mutating func add(_ found: [Suspect]) -> Bool {
        if isWithdrawn { return false }
        suspects.append(contentsOf: found)
        return true
    }

    /// Takes back whatever has not begun.
    mutating func withdraw() -> [Delivery] {
        isWithdrawn = true
        defer { suspects.removeAll() }
        return lanes.removeAll() + suspects.map(\.delivery)
    }

    /// - Returns: how many operations to start for what waits.
    mutating func operationsToStart(batchLimits: [Int]) -> Int {
        if isAlone || lanes.count + suspects.count == 0 { return 0 }
        let full = lanes.fullBatches(batchLimits)
        // One of them for the rest, which may have to wait.
        let rest = isOneWaiting ? 0 : 1
        let wanted = min(lanes.count, max(full + rest, Self.eager - busy))
        // Those that were started and have not looked for work yet.
        let coming = operations - busy - (isOneWaiting ? 1 : 0)
        let starts = max(0, min(limit - operations, wanted + suspects.count - coming))
        operations += starts
        return starts
    }

    /// What the calling operation is to do next; nil when it is over.
    ///
    /// - Parameter batchLimits: of each kind, by its number. Values: a handler is never asked under
    ///   the inbox's lock.
    mutating func next(batchLimits: [Int], at now: ContinuousClock.Instant = .now) -> Work? {
        // The limit has sunk. Those that stay will look for work themselves.
        if operations > limit { return end() }
        // A suspect waits for the threads that are busy, and they take nothing new: the last one of
        // them runs it.
        if isAlone || (!suspects.isEmpty && busy > 0) { return end() }
        if let suspect = suspects.popFirst() {
            busy = 1
            isAlone = true
            return .alone(suspect)
        }
        guard let (kind, batch) = nextBatch(batchLimits, now) else { return laterOrEnd() }
        busy += 1
        // More than the threads that are still free can take up, and no batch cut short by sharing.
        let isBacklog = lanes.count > limit - busy && batch.count == batchLimits[kind]
        return .batch(batch, kind: kind, round: isBacklog ? round : nil)
    }

    private mutating func nextBatch(
        _ batchLimits: [Int],
        _ now: ContinuousClock.Instant
    ) -> (kind: Int, batch: [Delivery])? {
        let eager = min(Self.eager, limit) - busy
        if eager > 0 {
            // An even share for each of them, this one included: a burst is worked on side by side,
            // a backlog in batches of the full limit.
            return lanes.next(atMost: (lanes.count + eager - 1) / eager, batchLimits)
        }
        return lanes.next(fullOrSince: now - Self.patience, batchLimits)
    }

    /// One operation stays to see that nothing waits for too long.
    private mutating func laterOrEnd() -> Work? {
        guard let oldest = lanes.oldest, !isOneWaiting else { return end() }
        isOneWaiting = true
        return .later(oldest + Self.patience)
    }

    /// The calling operation has done what `next` gave it.
    mutating func finished(_ work: Work, in duration: Duration) {
        if case .later = work {
            isOneWaiting = false
            return
        }
        busy -= 1
        isAlone = false
        guard case .batch(let batch, _, round: round) = work else { return }
        tally.pieces += 1
        tally.messages += batch.count
        tally.busy += duration
    }

    private mutating func end() -> Work? {
        operations -= 1
        return nil
    }
}
