/// Whether the worker takes messages off its queue. Anybody may close it for a reason of their own; it
/// is open while there is none. The channel thread obeys.
package final class Intake: Sendable {
    package enum Reason: Sendable, CaseIterable {
        /// Somebody switched it off.
        case operatorsWish
        /// The database has been away for long.
        case databaseAway
    }

    private let reasons = Locked<Set<Reason>>([])
    private let bell: any Bell

    /// - Parameter bell: wakes the channel thread.
    package init(bell: any Bell) {
        self.bell = bell
    }

    package var isOpen: Bool { reasons.withLock(\.isEmpty) }

    package func close(_ reason: Reason) {
        if reasons.withLock({ $0.insert(reason).inserted }) { bell.ring() }
    }

    package func open(_ reason: Reason) {
        if reasons.withLock({ $0.remove(reason) != nil }) { bell.ring() }
    }
}
