import DequeModule
import Messaging

/// The deliveries that wait, in a lane for each kind of work, and the choice between lanes. Pure.
///
/// A start is one batch. Lanes of a higher priority go first, of the same priority that with the
/// delivery that came first; but every tenth start goes to the lane that has been passed over
/// longest. So the highest has nine tenths of the threads at least, and none waits for ever (but
/// for threads that are kept for what is urgent; see `Inbox`).
struct InboxLanes {
    private struct Lane {
        let priority: WorkKind.Priority
        var deliveries: Deque<Delivery> = []
        /// The start before which it became non-empty, or that was its last.
        var passedOverSince = 0
    }

    /// Chosen: see above.
    static let fairStart = 10

    /// By the number of their kind.
    private var lanes: [Lane]
    private let kinds: WorkKindIndex
    /// Deliveries of all lanes.
    private(set) var count = 0
    private var starts = 0

    init(kinds: WorkKindIndex) {
        self.kinds = kinds
        lanes = kinds.priorities.map { Lane(priority: $0) }
    }

    mutating func add(_ arrived: [Delivery]) {
        for delivery in arrived {
            let kind = kinds[delivery]
            if lanes[kind].deliveries.isEmpty { lanes[kind].passedOverSince = starts }
            lanes[kind].deliveries.append(delivery)
        }
        count += arrived.count
    }

    /// In the order of their arrival, so before nearly all.
    mutating func putBack(_ deferred: [Delivery]) {
        for delivery in deferred {
            let kind = kinds[delivery]
            if lanes[kind].deliveries.isEmpty { lanes[kind].passedOverSince = starts }
            let next = lanes[kind].deliveries.firstIndex { delivery.id.isBefore($0.id) }
            lanes[kind].deliveries.insert(delivery, at: next ?? lanes[kind].deliveries.endIndex)
        }
        count += deferred.count
    }

    /// - Returns: all of them, in the order of their arrival.
    mutating func removeAll() -> [Delivery] {
        defer {
            for kind in lanes.indices { lanes[kind].deliveries.removeAll() }
            count = 0
        }
        return lanes.flatMap(\.deliveries).sorted { $0.id.isBefore($1.id) }
    }

    mutating func removeAll(where isMeant: (Delivery) -> Bool) -> [Delivery] {
        let taken = lanes.flatMap { $0.deliveries.filter(isMeant) }
        for kind in lanes.indices { lanes[kind].deliveries.removeAll(where: isMeant) }
        count -= taken.count
        return taken
    }

    /// - Parameters:
    ///   - busy: affinities of batches that run; those that have one of them do not count.
    ///   - most: from here on the number is of no interest: under a backlog few are looked at.
    /// - Returns: how many deliveries wait that may share a batch with others.
    func growing(
        _ batchLimits: [Int],
        besides busy: BusyAffinities = .init(),
        upTo most: Int = .max
    ) -> Int {
        var count = 0
        for (lane, limit) in zip(lanes, batchLimits) where limit > 1 {
            if busy.isEmpty {
                count += lane.deliveries.count
                continue
            }
            for delivery in lane.deliveries where busy.allow(delivery) {
                count += 1
                if count >= most { return count }
            }
        }
        return count
    }

    func isUrgent(_ kind: Int) -> Bool { lanes[kind].priority < .normal }

    func isUrgent(_ delivery: Delivery) -> Bool { isUrgent(kinds[delivery]) }

    /// Deliveries that are urgent.
    var urgentCount: Int {
        lanes.reduce(0) { $1.priority < .normal ? $0 + $1.deliveries.count : $0 }
    }

    func first(_ most: Int, of kind: Int) -> some Sequence<Delivery> {
        lanes[kind].deliveries.prefix(most)
    }

    /// By the number of the kind.
    var counts: [Int] { lanes.map(\.deliveries.count) }

    /// Takes the next batch: of one kind, and all of it for the first time or all of it again.
    ///
    /// - Parameters:
    ///   - share: most deliveries for any batch.
    ///   - batchLimits: most deliveries for one of each kind, by its number.
    ///   - mayGrow: whether a batch that others may join is left to wait.
    ///   - isUrgent: whether only what is urgent may begin.
    ///   - busy: affinities of batches that run. A batch that others may join takes none of them:
    ///     they stay where they are.
    mutating func next(
        atMost share: Int,
        _ batchLimits: [Int],
        mayGrow: Bool,
        isUrgent: Bool = false,
        besides busy: BusyAffinities = .init()
    ) -> (kind: Int, batch: [Delivery])? {
        let waiting = lanes.indices.filter { kind in
            (!isUrgent || self.isUrgent(kind))
                && lanes[kind].deliveries.contains { batchLimits[kind] == 1 || busy.allow($0) }
        }
        let ready = waiting.filter { !mayGrow || batchLimits[$0] == 1 }
        if ready.isEmpty { return nil }
        let isFair = starts % Self.fairStart == Self.fairStart - 1
        let turn = isFair ? longestPassedOver(of: waiting) : first(of: waiting)
        let kind = isFair ? turn : first(of: ready)
        starts += 1
        let batch = take(min(share, batchLimits[kind]), from: kind) {
            batchLimits[kind] == 1 || busy.allow($0)
        }
        // One that only begins because another lane's batch may still grow was not its turn.
        if kind == turn { lanes[kind].passedOverSince = starts }
        count -= batch.count
        return (kind, batch)
    }

    /// Takes deliveries from the front, all for the first time or all again.
    private mutating func take(
        _ most: Int,
        from kind: Int,
        where isMeant: (Delivery) -> Bool
    ) -> [Delivery] {
        var (batch, left): ([Delivery], [Delivery]) = ([], [])
        batch.reserveCapacity(most)
        while batch.count < most, let delivery = lanes[kind].deliveries.popFirst() {
            let isMeant = isMeant(delivery)
            if isMeant, batch.first.map({ $0.redelivered == delivery.redelivered }) ?? true {
                batch.append(delivery)
            } else {
                left.append(delivery)
                if isMeant { break }
            }
        }
        lanes[kind].deliveries.prepend(contentsOf: left)
        return batch
    }

    private func longestPassedOver(of kinds: [Int]) -> Int {
        // One that has come since the last start was passed over no longer than the lane of that
        // start; its priority is the lower one.
        kinds.min { one, other in
            let (one, other) = (lanes[one], lanes[other])
            return one.passedOverSince == other.passedOverSince
                ? one.priority > other.priority : one.passedOverSince < other.passedOverSince
        } ?? 0
    }

    private func first(of kinds: [Int]) -> Int {
        kinds.min { one, other in
            if lanes[one].priority != lanes[other].priority {
                return lanes[one].priority < lanes[other].priority
            }
            return lanes[one].deliveries[0].id.isBefore(lanes[other].deliveries[0].id)
        } ?? 0
    }
}

/// What batches that run are likely to lock.
struct BusyAffinities {
    private var sets: [Set<Int>] = []

    init(_ batches: [Inbox.RunningBatch] = []) {
        sets = batches.map(\.affinities).filter { !$0.isEmpty }
    }

    var isEmpty: Bool { sets.isEmpty }

    func allow(_ delivery: Delivery) -> Bool {
        guard let affinity = delivery.affinity else { return true }
        return !sets.contains { $0.contains(affinity) }
    }
}

extension Collection<Delivery> {
    /// When the first arrived. One that was put back says nothing of how long others wait.
    var waitingSince: ContinuousClock.Instant? {
        (first { $0.deferrals == 0 } ?? first)?.receivedAt
    }
}

extension DeliveryID {
    /// Whether it arrived before another one.
    fileprivate func isBefore(_ other: DeliveryID) -> Bool {
        (session, tag) < (other.session, other.tag)
    }
}
