import Concurrency
import Foundation
import Messaging

/// The inbox, and the operations of the thread pool that empty it: each takes work until there is
/// none for it.
struct WorkLoop: Sendable {
    /// What a thread is given to do.
    enum Piece {
        /// - Parameter kind: its number.
        case batch([Delivery], kind: Int)
        case alone(Inbox.Suspect)
        /// Nothing, at the end of each operation: what it has put off is due.
        case rest
    }

    /// - Returns: false for a piece that was given up meanwhile.
    typealias Perform = @Sendable (Piece, ThreadPool.Slot) -> Bool

    let inbox: Locked<Inbox>
    private let pool: ThreadPool
    private let batchLimits: @Sendable () -> [Int]

    /// - Parameters:
    ///   - keepsThreads: see `Inbox`.
    ///   - batchLimits: of each kind, by its number, as they are now; called under no lock.
    init(
        pool: ThreadPool,
        kinds: WorkKindIndex,
        keepsThreads: Bool = false,
        batchLimits: @escaping @Sendable () -> [Int]
    ) {
        self.pool = pool
        self.batchLimits = batchLimits
        inbox = Locked(Inbox(limit: pool.count, kinds: kinds, keepsThreads: keepsThreads))
    }

    var threads: Int { pool.count }

    /// Changes what waits or runs, and starts operations for what may run then; never blocks.
    func start(after change: (inout Inbox) -> Void, _ perform: @escaping Perform) {
        // Before the lock: handlers answer, and may take locks of their own.
        let limits = batchLimits()
        let starts = inbox.withLock { inbox in
            change(&inbox)
            return inbox.operationsToStart(batchLimits: limits)
        }
        start(starts, perform)
    }

    private func start(_ operations: Int, _ perform: @escaping Perform) {
        for _ in 0..<operations { pool.run { slot in run(on: slot, perform) } }
    }

    /// One operation.
    private func run(on slot: ThreadPool.Slot, _ perform: @escaping Perform) {
        var hasWorked = false
        while let work = next(mayWait: !hasWorked, perform) {
            let begin = ContinuousClock.now
            var isOwn = true
            switch work {
            case .batch(let batch, let kind, round: _):
                isOwn = perform(.batch(batch, kind: kind), slot)
                hasWorked = true
            case .alone(let suspect):
                isOwn = perform(.alone(suspect), slot)
                hasWorked = true
            case .later(let time):
                // Milliseconds: not worth to be interrupted.
                Thread.sleep(forTimeInterval: max(0, begin.duration(to: time) / .seconds(1)))
            }
            // Its place is another thread's.
            if !isOwn { return pool.removeThread() }
            // Others may have ended because nothing was to run beside this.
            let duration = begin.duration(to: .now)
            start(after: { $0.finished(work, in: duration) }, perform)
        }
        _ = perform(.rest, slot)
    }

    /// Has another thread take the place of one whose piece may never end. Once for a piece, and
    /// what performs it then says so.
    func giveUp(_ piece: Piece, _ perform: @escaping Perform) {
        pool.addThread()
        start(after: { $0.gaveUp(piece) }, perform)
    }

    /// - Returns: nil when the calling operation is over. Another one looks after what it leaves.
    private func next(mayWait: Bool, _ perform: @escaping Perform) -> Inbox.Work? {
        let limits = batchLimits()
        let (work, starts) = inbox.withLock { inbox in
            (
                inbox.next(batchLimits: limits, mayWait: mayWait),
                inbox.operationsToStart(batchLimits: limits)
            )
        }
        start(starts, perform)
        return work
    }
}
