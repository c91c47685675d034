import Synchronization

/// Tells once that the worker is to stop, wakes the threads that wait, and interrupts what may
/// block.
package final class DrainSignal: Sendable {
    private let raised = Atomic(false)
    private let condition = MonotonicCondition()
    /// What to interrupt, by a number of its own.
    private let interruptions = Locked<[Int: @Sendable () -> Void]>([:])
    private let numbers = Atomic(0)

    package init() {}

    package var isRaised: Bool { raised.load(ordering: .acquiring) }

    package func raise() {
        condition.change { raised.store(true, ordering: .releasing) }
        for interrupt in interruptions.withLock({ Array($0.values) }) { interrupt() }
    }

    /// Blocks the calling thread for `duration`, or until the signal is raised.
    ///
    /// - Returns: whether the signal is raised.
    @discardableResult
    package func wait(for duration: Duration) -> Bool {
        condition.wait(atMost: duration) { isRaised }
    }

    /// Blocks the calling thread until `isDone`, which is asked again after every `wake`, or until
    /// the signal is raised.
    ///
    /// - Parameter limit: the longest wait.
    /// - Returns: whether it is done.
    package func wait(atMost limit: Duration, until isDone: () -> Bool) -> Bool {
        condition.wait(atMost: limit) { isRaised || isDone() }
        return isDone()
    }

    /// Has the threads that wait look again.
    package func wake() { condition.change {} }

    /// Runs `body`, which may block.
    ///
    /// - Parameter interrupt: called at once, from another thread or this one, when the signal is
    ///   raised meanwhile or was before; must not block.
    package func interrupting<R: ~Copyable, E>(
        by interrupt: @escaping @Sendable () -> Void,
        _ body: () throws(E) -> R
    ) throws(E) -> R {
        let number = numbers.add(1, ordering: .relaxed).newValue
        interruptions.withLock { $0[number] = interrupt }
        defer { interruptions.withLock { $0[number] = nil } }
        // If the signal was raised before `interrupt` was listed, `raise` has not called it.
        if isRaised { interrupt() }
        return try body()
    }
}
