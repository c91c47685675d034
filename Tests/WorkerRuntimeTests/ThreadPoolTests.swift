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

    /// Fault: where little comes, all threads take turns, and each session is cold when it is next.
    @Test func theThreadThatCameFreeLastGoesFirst() {
        let pool = ThreadPool(count: 5, name: "test")
        let slots = Locked<[Int]>([])
        for _ in 0..<40 {
            pool.run { slot in slots.withLock { $0.append(slot) } }
            pool.waitUntilIdle()
        }
        pool.close()
        let taken = slots.withLock(\.self)
        #expect(taken.count == 40)
        // All of them but where another woke up before the last one was free.
        #expect(zip(taken, taken.dropFirst()).count { $0 == $1 } >= 10)
    }

    /// Fault: an operation that never ends has one thread less work for ever, or one that ends
    /// after all leaves one too many.
    @Test func aThreadTakesThePlaceOfOneThatIsLost() {
        let pool = ThreadPool(count: 2, name: "test")
        let arrived = DispatchSemaphore(value: 0)
        let (lost, leave) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let slots = Locked<Set<Int>>([])
        let returned = DispatchSemaphore(value: 0)
        func work() {
            pool.run { slot in
                slots.withLock { _ = $0.insert(slot) }
                arrived.signal()
                leave.wait()
            }
        }
        func arrivals(_ patience: DispatchTimeInterval = .seconds(30)) -> Int {
            var count = 0
            while count < 2, arrived.wait(timeout: .now() + patience) == .success { count += 1 }
            return count
        }
        pool.run { _ in
            arrived.signal()
            lost.wait()
            pool.removeThread()
            returned.signal()
        }
        #expect(arrived.wait(timeout: .now() + 30) == .success)
        for _ in 0..<4 { work() }
        #expect(arrived.wait(timeout: .now() + 30) == .success)
        pool.addThread()
        #expect(arrived.wait(timeout: .now() + 30) == .success)
        #expect(slots.withLock { $0.contains(2) && $0.count == 2 })
        lost.signal()
        #expect(returned.wait(timeout: .now() + 30) == .success)
        for _ in 0..<2 { leave.signal() }
        #expect(arrivals() == 2)
        for _ in 0..<2 { work() }
        #expect(arrived.wait(timeout: .now() + .milliseconds(300)) == .timedOut, "two at once")
        for _ in 0..<2 { leave.signal() }
        #expect(arrivals() == 2)
        for _ in 0..<2 { leave.signal() }
        pool.waitUntilIdle()
        pool.close()
    }
}
