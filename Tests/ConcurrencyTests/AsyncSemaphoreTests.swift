import Concurrency
import Testing

struct AsyncSemaphoreTests {
    /// Fault: a cancelled waiter keeps its place, and the permit that it is given is lost.
    @Test func aCancelledWaiterTakesNoPermit() async {
        let semaphore = AsyncSemaphore(1)
        #expect(await semaphore.acquire())
        let waiter = Task { await semaphore.acquire() }
        let next = Task { await semaphore.acquire() }
        waiter.cancel()
        #expect(await !waiter.value)
        semaphore.release()
        #expect(await next.value)
        semaphore.release()
        #expect(await semaphore.acquire())
    }
}
