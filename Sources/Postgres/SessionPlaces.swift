/// Which place of the pool is lent next: the pool's decisions, without sessions, locks, or a clock
/// of its own.
///
/// A place is free or lent; a free one has an open session or none.
struct SessionPlaces {
    struct Loan: Equatable {
        let index: Int
        /// Whether the session may have been ended since it was last used.
        let hasRested: Bool
    }

    private struct Place {
        var isFree = true
        var isOpen = false
        /// When its session was last given back.
        var usedAt: ContinuousClock.Instant
    }

    private var places: [Place]
    private let rest: Duration

    /// - Parameter rest: a session that was given back less long ago is lent without a check.
    init(count: Int, rest: Duration, at now: ContinuousClock.Instant = .now) {
        precondition(count >= 1)
        places = Array(repeating: Place(usedAt: now), count: count)
        self.rest = rest
    }

    /// Lends the preferred place if its session is open, or else any open one, so that no more are
    /// opened than are needed at once; then a place without one, the preferred one first.
    ///
    /// - Returns: nil while all are lent.
    mutating func borrow(preferring number: Int, at now: ContinuousClock.Instant) -> Loan? {
        let preferred = number % places.count
        func first(_ isFit: (Place) -> Bool) -> Int? {
            isFit(places[preferred]) ? preferred : places.firstIndex(where: isFit)
        }
        guard let index = first({ $0.isFree && $0.isOpen }) ?? first(\.isFree) else { return nil }
        places[index].isFree = false
        return Loan(index: index, hasRested: places[index].usedAt + rest <= now)
    }

    /// Lends a place whose open session was not used for longer than `limit`, to be closed.
    mutating func borrowIdle(for limit: Duration, at now: ContinuousClock.Instant) -> Int? {
        let index = places.firstIndex { $0.isFree && $0.isOpen && $0.usedAt + limit < now }
        if let index { places[index].isFree = false }
        return index
    }

    /// - Parameter isOpen: false where the session was closed, or is unfit for another use.
    mutating func giveBack(_ index: Int, isOpen: Bool, at now: ContinuousClock.Instant) {
        precondition(!places[index].isFree, "given back twice")
        places[index] = Place(isOpen: isOpen, usedAt: now)
    }
}
