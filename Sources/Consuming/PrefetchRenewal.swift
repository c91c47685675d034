import Messaging

/// When a consumer is to be registered anew because deliveries that cannot be settled yet have used
/// up its prefetch. Pure.
package struct PrefetchRenewal {
    /// Chosen: as many as an operator would want to look through; each costs a tag and a copy.
    package static let mostHeld = 10_000

    /// The last delivery tag before the consumer was registered anew; 0 for the first of a session.
    package private(set) var renewedAfter: UInt64 = 0
    /// Of those that are held, how many an earlier consumer was given.
    private var heldBefore = 0
    private var hasTold = false

    package init() {}

    package mutating func renewed(after tag: UInt64, withheld: Int) {
        renewedAfter = tag
        heldBefore = withheld
    }

    /// - Parameters:
    ///   - held: deliveries that wait for their copies.
    ///   - unsettled: what the present consumer was given and is not settled.
    ///   - load: of the threads.
    package mutating func isDue(
        held: Int,
        unsettled: @autoclosure () -> Int,
        of prefetch: Int,
        load: @autoclosure () -> Workload
    ) -> Bool {
        heldBefore = min(heldBefore, held)
        guard held > 0, unsettled() >= prefetch else { return false }
        let load = load()
        // Where threads have work, half of the prefetch is enough for them.
        return load.waiting == 0 && (load.busy == 0 || held - heldBefore >= max(1, prefetch / 2))
    }

    /// - Returns: true the first time it is asked.
    package mutating func tellsExhaustion() -> Bool {
        defer { hasTold = true }
        return !hasTold
    }
}
