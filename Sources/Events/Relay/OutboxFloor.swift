/// An id of the outbox up to which no event is left, and none will come. Pure.
///
/// Events are deleted when they are sent. While an old snapshot is open, of a backup for one, their
/// rows and the index' entries stay: without a floor each look would pass over all of them.
///
/// A transaction may commit an id that is lower than those of others before it. So an id is taken
/// for a floor only once each transaction is over that was there when it was the highest.
struct OutboxFloor {
    typealias Instant = ContinuousClock.Instant

    /// What `txid_current_snapshot` says: each transaction below `oldest` is over, none from `next`
    /// on has begun.
    struct Snapshot {
        var oldest: Int
        var next: Int
    }

    private(set) var id = 0
    private var highest = 0
    private var candidate: (id: Int, next: Int, at: Instant)?

    /// Between an id that is drawn and the first write of its transaction lies no time to speak of.
    /// Chosen, to be far from it.
    private static let margin = Duration.seconds(5)

    /// - Parameters:
    ///   - ids: the first and the last row that a look above `id` has found; nil for none.
    ///   - held: the lowest id that the look left out; nil for none.
    ///   - snapshot: taken before the look.
    mutating func looked(
        _ ids: (first: Int, last: Int)?,
        held: Int?,
        _ snapshot: Snapshot,
        at now: Instant
    ) {
        if let candidate, snapshot.oldest >= candidate.next, candidate.at + Self.margin <= now {
            let left = [ids?.first, held].compactMap(\.self).map { $0 - 1 }
            id = max(id, min(candidate.id, left.min() ?? candidate.id))
            self.candidate = nil
        }
        // Those of before: the snapshot knows the transactions that were there by then.
        if candidate == nil, highest > id { candidate = (highest, snapshot.next, now) }
        highest = max(highest, ids?.last ?? 0)
    }
}
