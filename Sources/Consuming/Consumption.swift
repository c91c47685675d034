import Concurrency

/// Whether the worker takes messages off its queue. Each component may pause it for its own reason;
/// it is on while no reason is set. Channel threads act on it.
package final class Consumption: Sendable {
    package enum Reason: Sendable, CaseIterable {
        /// An operator switched it off by a signal.
        case operatorsWish
        /// An operator switched it off over HTTP.
        case operatorsRequest
        /// The database has been away for long.
        case databaseAway
    }

    /// Since when each reason has paused it.
    private let reasons = Locked<[Reason: ContinuousClock.Instant]>([:])
    private let bells = Locked<[any Bell]>([])

    package init() {}

    /// - Parameter bell: wakes a channel thread that acts on it.
    package func ring(_ bell: any Bell) { bells.withLock { $0.append(bell) } }

    private func ring() {
        for bell in bells.withLock({ $0 }) { bell.ring() }
    }

    package var isOn: Bool { reasons.withLock(\.isEmpty) }

    /// The reason that has paused it, an operator's first, and since when; nil while it is on.
    package var currentPause: (reason: Reason, since: ContinuousClock.Instant)? {
        let reasons = reasons.withLock { $0 }
        return Reason.allCases.lazy.compactMap { reason in reasons[reason].map { (reason, $0) } }
            .first
    }

    package func pause(for reason: Reason) {
        let isNew = reasons.withLock { reasons in
            if reasons[reason] != nil { return false }
            reasons[reason] = .now
            return true
        }
        if isNew { ring() }
    }

    /// Ends this reason's pause; it stays off while there is another.
    package func resume(after reason: Reason) {
        if reasons.withLock({ $0.removeValue(forKey: reason) != nil }) { ring() }
    }
}
