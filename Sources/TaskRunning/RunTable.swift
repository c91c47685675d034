import Concurrency
import Tasks

/// The runs that this worker has in hand.
final class RunTable: Sendable {
    enum Phase: Sendable {
        /// Its row may be this worker's already.
        case claiming
        case running
        /// Its end is being written.
        case finishing
        /// Its thread has not come back in time: its end is written, and its result will not count.
        case writtenOff
    }

    struct Run: Sendable {
        var phase: Phase
        let context: RunContext
        var type: String
        var startedAt: ContinuousClock.Instant
        /// When its time is over.
        var deadline: ContinuousClock.Instant
        /// Has another thread take the place of its own; nil where it has none.
        var giveUp: (@Sendable () -> Void)?

        /// Chosen: a tenth of its time, so that a handler may still save what it has.
        var isTimeNearlyOver: Bool {
            let left = min(startedAt.duration(to: deadline) / 10, .seconds(30))
            return phase == .running && deadline - max(left, .seconds(1)) <= .now
        }
    }

    private let runs = Locked<[TaskMessage: Run]>([:])
    private let isDraining = Locked(false)
    private let changed = MonotonicCondition()

    /// - Returns: false where this worker has it in hand already.
    func claiming(_ key: TaskMessage, type: String, _ context: RunContext) -> Bool {
        let now = ContinuousClock.now
        let run = Run(
            phase: .claiming,
            context: context,
            type: type,
            startedAt: now,
            deadline: now + .seconds(86_400)
        )
        if isDraining.withLock(\.self) { context.note(.workerDrains) }
        return runs.withLock { runs in
            if runs[key] != nil { return false }
            runs[key] = run
            return true
        }
    }

    /// Tells those that run, and those that still begin.
    func drains() {
        isDraining.withLock { $0 = true }
        for run in all.values { run.context.note(.workerDrains) }
    }

    /// - Parameter giveUp: nil for a run without a thread.
    func running(_ key: TaskMessage, timeout: Int, giveUp: (@Sendable () -> Void)?) {
        let now = ContinuousClock.now
        runs.withLock { runs in
            runs[key]?.phase = .running
            runs[key]?.giveUp = giveUp
            runs[key]?.startedAt = now
            runs[key]?.deadline = now + .seconds(timeout)
        }
    }

    /// - Returns: false for a run that is written off.
    func finishing(_ key: TaskMessage) -> Bool {
        runs.withLock { runs in
            guard let run = runs[key], run.phase != .writtenOff else { return false }
            runs[key]?.phase = .finishing
            return true
        }
    }

    /// - Returns: whether it was still running.
    func writeOff(_ key: TaskMessage) -> Bool {
        changed.change {
            runs.withLock { runs in
                guard let run = runs[key], run.phase == .running else { return false }
                runs[key]?.phase = .writtenOff
                return true
            }
        }
    }

    func ended(_ key: TaskMessage) {
        changed.change { runs.withLock { $0.removeValue(forKey: key) }?.context.end() }
    }

    var all: [TaskMessage: Run] { runs.withLock { $0 } }

    /// Threads of runs that are written off and have not come back.
    var lostThreads: Int {
        runs.withLock { $0.values.count { $0.phase == .writtenOff && $0.giveUp != nil } }
    }

    func stopAll(for reason: RunContext.StopReason) {
        for run in all.values { run.context.stop(for: reason) }
    }

    /// Waits until no end is being written.
    func waitForEnds(atMost limit: Duration) {
        changed.wait(atMost: limit) {
            runs.withLock { $0.values.allSatisfy { $0.phase != .finishing } }
        }
    }

    /// Waits until only runs are left that are written off.
    ///
    /// - Returns: whether that is so.
    func waitUntilIdle(atMost limit: Duration) -> Bool {
        func isIdle() -> Bool { runs.withLock { $0.values.allSatisfy { $0.phase == .writtenOff } } }
        changed.wait(atMost: limit) { isIdle() }
        return isIdle()
    }
}
