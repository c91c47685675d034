import Dispatch
import Synchronization
import Testing

@testable import Concurrency
@testable import WorkerRuntime

struct ThreadPoolTests {
    /// Fault: a plain OperationQueue runs about one blocking operation a core. If the pool did, the
    /// operations would wait for each other for ever, so the test bounds its patience.
    @Test(arguments: [1, 10, 50, 480])
    func runsNBlockingOperationsAtOnce(count: Int) {
        let pool = ThreadPool(count: count, name: "test")
        let arrived = DispatchSemaphore(value: 0)
        let leave = DispatchSemaphore(value: 0)
        let slots = Locked<Set<Int>>([])
        for _ in 0..<count {
            pool.run { slot in
                slots.withLock { _ = $0.insert(slot) }
                arrived.signal()
                leave.wait()
            }
        }
        var present = 0
        while present < count, arrived.wait(timeout: .now() + 30) == .success { present += 1 }
        #expect(present == count)
        #expect(slots.withLock { $0 } == Set(0..<count))
        for _ in 0..<count { leave.signal() }
        pool.waitUntilIdle()
        pool.close()
    }

    @Test func neverRunsMoreThanNAtOnce() {
        let pool = ThreadPool(count: 3, name: "test")
        let running = Atomic(0)
        let most = Atomic(0)
        let total = Atomic(0)
        for _ in 0..<500 {
            pool.run { _ in
                let now = running.add(1, ordering: .sequentiallyConsistent).newValue
                most.max(now, ordering: .sequentiallyConsistent)
                running.subtract(1, ordering: .sequentiallyConsistent)
                total.add(1, ordering: .sequentiallyConsistent)
            }
        }
        pool.waitUntilIdle()
        pool.close()
        #expect(total.load(ordering: .sequentiallyConsistent) == 500)
        #expect((1...3).contains(most.load(ordering: .sequentiallyConsistent)))
    }
}
