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

    struct RunningBatch {
        let first: DeliveryID
        let kind: Int
        let begin: ContinuousClock.Instant
        let isOfSeveral: Bool
        /// Of its deliveries.
        let affinities: Set<Int>
    }

    /// Work of one round that has been done.
    struct Tally: Equatable {
        var pieces = 0
        var messages = 0
        /// Time that threads spent on it.
        var busy: Duration = .zero
    }

    /// How long a batch counts as one of those that pay, and holds up its like: then it probably
    /// waits for what no batch of this worker holds. Chosen: several times what a batch takes under
    /// a backlog, with its wait for others' locks where users are few.
    static let patience: Duration = .milliseconds(250)
    /// How long an operation sleeps at most that waits for that: others may need its thread.
    static let glance: Duration = .milliseconds(50)
    /// While urgent work comes, one thread in ten begins no other: what is urgent would wait for
    /// the end of what is not, as long as that may take. Chosen: where threads are fewer than four,
    /// one is too much to keep.
    static let keptShare = 10
    static let leastThatKeep = 4
    /// After the last urgent delivery. Chosen.
    static let urgency: Duration = .seconds(30)
    /// Chosen: what pays where nothing else is known. Two keep two processors busy.
    static let firstPaying = 2

    /// What these two would be if nothing held them down.
    private var wanted: (limit: Int, paying: Int)
    /// The share of them that is let begin work.
    private var share = 1.0
    /// Most operations that have work in hand. Those above a limit that sank end when they are
    /// done.
    private(set) var limit: Int
    /// Most of them that take batches at once, where a message is not one by itself: few threads
    /// with full batches cost the database less than many, which wait for each other's locks. More
    /// start only beside those that take too long.
    private(set) var paying: Int
    /// Goes up with every change of these two: what was begun under others does not count.
    private var round = 0
    /// Of the work that was taken while more waited than there were threads for: only that says
    /// what these two are good for.
    private(set) var tally = Tally()
    /// Together with `suspects` bounded by the prefetch count.
    private var lanes: InboxLanes
    private var suspects: Deque<Suspect> = []
    /// Operations queued or running.
    private var operations = 0
    /// Those of them that have work in hand.
    private var busy = 0
    /// The batches of theirs.
    private var running: [RunningBatch] = []
    /// Tests may have more.
    var patience = Self.patience
    /// Whether an operation waits for the place of a batch that takes too long.
    private var isOneWaiting = false
    private var isAlone = false
    /// When an urgent delivery last came.
    private var lastUrgent: ContinuousClock.Instant?
    /// When work was last taken, and when some that is not urgent.
    private var lastBegin, lastOtherBegin: ContinuousClock.Instant?
    /// Whether threads are kept at all.
    private let keepsThreads: Bool
    /// Whether all was taken back, and nothing has come since.
    private var isWithdrawn = false
    /// Of what came last.
    private var session: UInt64 = 0

    /// - Parameter keepsThreads: for an owner that asks for operations to start at times, too.
    init(limit: Int, kinds: WorkKindIndex, keepsThreads: Bool = false) {
        self.limit = limit
        self.keepsThreads = keepsThreads
        paying = min(Self.firstPaying, limit)
        wanted = (limit, paying)
        lanes = InboxLanes(kinds: kinds)
    }

    var load: Workload {
        Workload(
            busy: busy,
            limit: limit,
            waiting: lanes.count + suspects.count,
            areBatches: running.contains(where: \.isOfSeveral)
        )
    }

    /// What waits of a kind, in order, but no more than an even share for each thread: those beyond
    /// need not wait for what one makes of it. Not what was delivered before: that may kill a
    /// process.
    func upcoming(of kind: Int, atMost most: Int) -> [Message] {
        let share = (lanes.counts[kind] + wanted.limit - 1) / wanted.limit
        return lanes.first(min(most, share), of: kind).filter { !$0.redelivered }.map(\.message)
    }

    /// Deliveries that wait, by the number of their kind; suspects are not among them.
    var waiting: [Int] { lanes.counts }

    /// Begins to count anew. Operations for what may now run besides are the caller's to start.
    ///
    /// - Parameter paying: no more than `limit`.
    mutating func begin(limit: Int, paying: Int) {
        wanted = (limit, paying)
        apply()
    }

    var isHeld: Bool { share < 1 }

    /// Lets only a share of the operations have work in hand, at least one, until it is told
    /// another share; begins to count anew.
    mutating func hold(to share: Double) {
        self.share = share
        apply()
    }

    private mutating func apply() {
        let most = max(1, Int(Double(wanted.limit) * share))
        let (limit, paying) = (min(wanted.limit, most), min(wanted.paying, most))
        if limit != self.limit || paying != self.paying { round += 1 }
        self.limit = limit
        self.paying = paying
        tally = Tally()
    }

    mutating func add(_ arrived: [Delivery]) {
        isWithdrawn = false
        session = arrived.last?.id.session ?? session
        lastUrgent = arrived.last(where: lanes.isUrgent)?.receivedAt ?? lastUrgent
        lanes.add(arrived)
    }

    /// - Returns: false when everything has been taken back meanwhile: so are they.
    mutating func add(_ found: [Suspect]) -> Bool {
        if isWithdrawn { return false }
        suspects.append(contentsOf: found)
        return true
    }

    /// Takes in what begun work could not do yet, in the order of arrival.
    ///
    /// - Returns: false when everything has been taken back meanwhile: so are they.
    mutating func putBack(_ deferred: [Delivery]) -> Bool {
        if isWithdrawn || deferred.contains(where: { $0.id.session < session }) { return false }
        lanes.putBack(deferred)
        return true
    }

    /// Takes back whatever has not begun.
    mutating func withdraw() -> [Delivery] {
        isWithdrawn = true
        defer { suspects.removeAll() }
        return lanes.removeAll() + suspects.map(\.delivery)
    }

    /// Takes back what has not begun of some queues, by their numbers; more may come of them.
    mutating func withdraw(from sources: Set<Int>) -> [Delivery] {
        let held = suspects.map(\.delivery).filter { sources.contains($0.source) }
        suspects.removeAll { sources.contains($0.delivery.source) }
        return lanes.removeAll { sources.contains($0.source) } + held
    }

    /// Takes back what has waited since a time, where nothing has begun since then; what is not
    /// urgent, where nothing such has.
    mutating func overdue(since time: ContinuousClock.Instant) -> [Delivery] {
        if let lastOtherBegin, lastOtherBegin > time { return [] }
        if let lastBegin, lastBegin > time {
            let lanes = lanes
            return self.lanes.removeAll { $0.receivedAt <= time && !lanes.isUrgent($0) }
        }
        let late = suspects.filter { $0.delivery.receivedAt <= time }.map(\.delivery)
        suspects.removeAll { $0.delivery.receivedAt <= time }
        return lanes.removeAll { $0.receivedAt <= time } + late
    }

    /// Whether work of any kind may begin.
    var mayStart: Bool { busy < limit && room(at: .now) != 0 }

    /// - Returns: how many operations to start for what waits.
    mutating func operationsToStart(
        batchLimits: [Int],
        at now: ContinuousClock.Instant = .now
    ) -> Int {
        if isAlone || lanes.count + suspects.count == 0 { return 0 }
        // The last of those that are busy runs the suspect; any other would end at once.
        if !suspects.isEmpty && busy > 0 { return 0 }
        let growing = lanes.growing(batchLimits)
        let paid = paid(batchLimits, at: now)
        let free = paying - paid.count
        let ready =
            free > 0
            ? lanes.growing(batchLimits, besides: BusyAffinities(paid), upTo: free) : 0
        // One to see that they do not wait for too long.
        let watching = min(growing, mayWatch(free: free, operations: operations + 1) ? 1 : 0)
        let batches = ready > 0 ? min(ready, free) : watching
        var wanted = lanes.count - growing + batches
        if let room = room(at: now) { wanted = min(wanted, lanes.urgentCount + room) }
        wanted += suspects.count
        // Those that were started and have not looked for work yet.
        let coming = operations - busy - (isOneWaiting ? 1 : 0)
        let starts = max(0, min(limit - operations, wanted - coming))
        operations += starts
        return starts
    }

    /// What the calling operation is to do next; nil when it is over.
    ///
    /// - Parameters:
    ///   - batchLimits: of each kind, by its number. Values: a handler is never asked under the
    ///     inbox's lock.
    ///   - mayWait: whether it may be told to ask again later. One that has done work has to end,
    ///     because it may have something left to write down.
    mutating func next(
        batchLimits: [Int],
        mayWait: Bool = true,
        at now: ContinuousClock.Instant = .now
    ) -> Work? {
        // The limit has sunk. Those that stay will look for work themselves.
        if operations > limit { return end() }
        // A suspect waits for the threads that are busy, and they take nothing new: the last one of
        // them runs it.
        if isAlone || (!suspects.isEmpty && busy > 0) { return end() }
        if let suspect = suspects.popFirst() {
            busy = 1
            isAlone = true
            (lastBegin, lastOtherBegin) = (now, now)
            return .alone(suspect)
        }
        let paid = paid(batchLimits, at: now)
        let free = paying - paid.count
        // An even share for every thread that is free, this one included: a burst is worked on side
        // by side, a backlog (no other thread free) in batches of the full limit.
        let share =
            free > 1
            ? (ready(batchLimits, besides: paid) + free - 1) / free : lanes.count
        let isKept = room(at: now) == 0
        guard
            let (kind, batch) = lanes.next(
                atMost: share,
                batchLimits,
                mayGrow: free <= 0,
                isUrgent: isKept,
                besides: BusyAffinities(paid)
            )
        else { return mayWait ? laterOrEnd(paid, at: now) : end() }
        lastBegin = now
        if !lanes.isUrgent(kind) { lastOtherBegin = now }
        busy += 1
        running.append(
            RunningBatch(
                first: batch[0].id,
                kind: kind,
                begin: now,
                isOfSeveral: batch.count > 1,
                affinities: batchLimits[kind] > 1 ? Set(batch.lazy.compactMap(\.affinity)) : []
            )
        )
        // More than the threads that are still free can take up, and no batch cut short by sharing.
        let isFull = batch.count == batchLimits[kind]
        let others = batchLimits[kind] > 1 ? free - 1 : limit - busy
        let besides = self.paid(batchLimits, at: now)
        let isBacklog = isFull && ready(batchLimits, besides: besides, upTo: others + 1) > others
        return .batch(batch, kind: kind, round: isBacklog ? round : nil)
    }

    /// How many operations may begin what is not urgent; nil while no thread is kept free.
    private func room(at now: ContinuousClock.Instant) -> Int? {
        guard keepsThreads, limit >= Self.leastThatKeep, let lastUrgent,
            now < lastUrgent + Self.urgency
        else { return nil }
        let others = running.count { !lanes.isUrgent($0.kind) }
        return max(0, limit - max(1, limit / Self.keptShare) - others)
    }

    /// Those that take the place of a thread that pays, and hold up their like.
    private func paid(_ batchLimits: [Int], at now: ContinuousClock.Instant) -> [RunningBatch] {
        running.filter { batchLimits[$0.kind] > 1 && now < $0.begin + patience }
    }

    /// How many deliveries may begin beside these.
    private func ready(
        _ batchLimits: [Int],
        besides paid: [RunningBatch],
        upTo most: Int = .max
    ) -> Int {
        lanes.count - lanes.growing(batchLimits)
            + lanes.growing(batchLimits, besides: BusyAffinities(paid), upTo: most)
    }

    /// Whether an operation may stay to see that nothing waits for too long. Where a place is free
    /// it is not the last one, for what comes may begin: with two threads, what is like a batch
    /// that hangs waits for its end, or for the next delivery.
    private func mayWatch(free: Int, operations: Int) -> Bool {
        !isOneWaiting && (free <= 0 || operations < limit)
    }

    private mutating func laterOrEnd(
        _ paid: [RunningBatch],
        at now: ContinuousClock.Instant
    ) -> Work? {
        guard lanes.count > 0, mayWatch(free: paying - paid.count, operations: operations),
            let oldest = paid.map(\.begin).min()
        else { return end() }
        isOneWaiting = true
        return .later(min(oldest + patience, now + Self.glance))
    }

    /// The calling operation has done what `next` gave it.
    mutating func finished(_ work: Work, in duration: Duration) {
        if case .later = work {
            isOneWaiting = false
            return
        }
        busy -= 1
        isAlone = false
        guard case .batch(let batch, let kind, let round) = work else { return }
        if let ended = running.firstIndex(where: { $0.first == batch[0].id && $0.kind == kind }) {
            running.remove(at: ended)
        }
        if round != self.round { return }
        tally.pieces += 1
        // What was put back counts once.
        tally.messages += batch.count { $0.deferrals == 0 }
        tally.busy += duration
    }

    /// An operation is over whose thread does not come back from this.
    mutating func gaveUp(_ piece: WorkLoop.Piece) {
        switch piece {
        case .batch(let batch, let kind):
            finished(.batch(batch, kind: kind, round: nil), in: .zero)
        case .alone(let suspect): finished(.alone(suspect), in: .zero)
        case .rest: break
        }
        operations -= 1
    }

    private mutating func end() -> Work? {
        operations -= 1
        return nil
    }
}
