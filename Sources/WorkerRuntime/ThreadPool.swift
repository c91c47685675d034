import Concurrency
import Foundation

/// A bounded `OperationQueue` whose N operations really run at once.
///
/// A plain OperationQueue does not reach N when operations block: its dispatch pool has about one
/// thread a core. Here the queue bounds and counts, and each of its operations is asynchronous: it
/// hands its body to one of N threads of our own and finishes when that thread is done with it.
package final class ThreadPool: Sendable {
    /// Names a thread of the pool: 0 ..< count, then those that were added; keys what belongs to a
    /// thread, such as a session.
    package typealias Slot = Int

    private struct Added {
        /// More than `count`, now.
        var threads = 0
        var nextSlot: Slot
    }

    package let count: Int
    private let name: String
    private let stackBytes: Int
    private let operations: OperationQueue
    private let jobs: Jobs
    private let added: Locked<Added>

    /// - Parameter stackBytes: address space reserved for each thread.
    package init(count: Int, name: String, stackBytes: Int = 1 << 20) {
        precondition(count >= 1)
        (self.count, self.name, self.stackBytes) = (count, name, stackBytes)
        added = Locked(Added(nextSlot: count))
        let jobs = Jobs()
        self.jobs = jobs
        operations = OperationQueue()
        operations.name = name
        operations.maxConcurrentOperationCount = count
        for slot in 0..<count { start(slot) }
    }

    private func start(_ slot: Slot) {
        let jobs = jobs
        startThread(name: "\(name)-\(slot)", stackBytes: stackBytes) { jobs.run(on: slot) }
    }

    /// Runs `body` on a thread of the pool, as soon as fewer than `count` operations run.
    package func run(_ body: @escaping @Sendable (Slot) -> Void) {
        let jobs = jobs
        operations.addOperation(
            HandedOverOperation { finish in
                jobs.add { slot in
                    body(slot)
                    finish()
                }
            }
        )
    }

    /// Starts one more thread, for an operation that may never end and keeps its own. As soon as
    /// fewer than `count` others run, the next one does.
    package func addThread() {
        let slot = added.withLock { added in
            added.threads += 1
            operations.maxConcurrentOperationCount = count + added.threads
            defer { added.nextSlot += 1 }
            return added.nextSlot
        }
        start(slot)
    }

    /// Ends a thread, the first that is free: that operation is about to end after all.
    package func removeThread() {
        added.withLock { added in
            added.threads -= 1
            operations.maxConcurrentOperationCount = count + added.threads
        }
        jobs.endThread()
    }

    /// Blocks until every operation has finished.
    package func waitUntilIdle() {
        operations.waitUntilAllOperationsAreFinished()
    }

    /// Lets the threads end once their jobs are done. The pool takes no more work.
    package func close() {
        jobs.close()
    }
}

/// Hands closures to waiting threads. Its length is bounded by the operation queue in front of it.
///
/// The thread that came free last goes first: its session, and the server's process behind it, are
/// warm. Where little comes, few of them are busy, and the others sleep.
private final class Jobs: Sendable {
    private enum Next {
        case job(@Sendable (ThreadPool.Slot) -> Void)
        case sleep
        case end
    }

    private struct State {
        var waiting: [@Sendable (ThreadPool.Slot) -> Void] = []
        /// Of the threads that sleep, the last one that came free at the end.
        var sleeping: [DispatchSemaphore] = []
        /// Threads that are to end.
        var surplus = 0
        var isClosed = false

        mutating func next(for thread: DispatchSemaphore) -> Next {
            if surplus > 0 {
                surplus -= 1
                return .end
            }
            if let job = waiting.popLast() { return .job(job) }
            if isClosed { return .end }
            sleeping.append(thread)
            return .sleep
        }
    }

    private let state = Locked(State())

    func add(_ job: @escaping @Sendable (ThreadPool.Slot) -> Void) {
        wakeOne { $0.waiting.append(job) }
    }

    func endThread() {
        wakeOne { $0.surplus += 1 }
    }

    private func wakeOne(after change: (inout State) -> Void) {
        let thread = state.withLock { state in
            change(&state)
            return state.sleeping.popLast()
        }
        thread?.signal()
    }

    func close() {
        let all = state.withLock { state in
            state.isClosed = true
            defer { state.sleeping = [] }
            return state.sleeping
        }
        for thread in all { thread.signal() }
    }

    func run(on slot: ThreadPool.Slot) {
        let awake = DispatchSemaphore(value: 0)
        while true {
            switch state.withLock({ $0.next(for: awake) }) {
            case .job(let job): job(slot)
            case .sleep: awake.wait()
            case .end: return
            }
        }
    }
}

/// An operation that is executing from `start` until its owner says it has finished.
// `@unchecked` because Operation is a class that predates the checker; the state is under a lock.
private final class HandedOverOperation: Operation, @unchecked Sendable {
    private enum State { case ready, executing, finished }

    private let state = Locked(State.ready)
    private let body: @Sendable (_ finish: @escaping @Sendable () -> Void) -> Void

    init(_ body: @escaping @Sendable (_ finish: @escaping @Sendable () -> Void) -> Void) {
        self.body = body
    }

    override var isAsynchronous: Bool { true }
    override var isExecuting: Bool { state.withLock { $0 == .executing } }
    override var isFinished: Bool { state.withLock { $0 == .finished } }

    override func start() {
        move(to: .executing, notifying: "isExecuting")
        body { self.move(to: .finished, notifying: "isFinished") }
    }

    private func move(to next: State, notifying key: String) {
        willChangeValue(forKey: key)
        state.withLock { $0 = next }
        didChangeValue(forKey: key)
    }
}
