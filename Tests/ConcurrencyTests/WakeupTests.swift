import Concurrency
import Testing

struct WakeupTests {
    /// Faults: a ring that comes while the thread is busy is lost, and a change is told five
    /// seconds later; or each of a thousand rings is a write of its own.
    @Test func ringsBeforeTheWaitAreOneTurn() {
        let wakeup = Wakeup()
        for _ in 0..<1000 { wakeup.ring() }
        let begin = ContinuousClock.now
        wakeup.wait(for: .seconds(60), atLeastUntil: begin + .milliseconds(20))
        let first = begin.duration(to: .now)
        #expect(first >= .milliseconds(20) && first < .seconds(30))
        wakeup.wait(for: .milliseconds(10), atLeastUntil: begin)
        #expect(begin.duration(to: .now) >= .milliseconds(30), "nothing is left of them")
    }
}
