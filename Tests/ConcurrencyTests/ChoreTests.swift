import Testing

@testable import Concurrency

struct ChoreTests {
    /// A clock that goes on when it is waited for, and stops after so long.
    private final class Clock: ChoreClock {
        private(set) var now = ContinuousClock.now
        let end: ContinuousClock.Instant

        init(running limit: Duration) { end = now + limit }

        func wait(until instant: ContinuousClock.Instant) -> Bool {
            now = max(now, instant)
            return now >= end
        }

        /// Work takes time, too.
        func advance(by duration: Duration) { now += duration }
    }

    /// Fault: replicas that were started together ask the database in the same moment for ever.
    @Test func intervalsDifferByATenthAtMost() {
        let clock = Clock(running: .seconds(100_000))
        var times: [ContinuousClock.Instant] = []
        var chores = Chores()
        chores.add(Chore(every: .seconds(100), at: clock.now)) {
            times.append(clock.now)
            return .done
        }
        chores.run(by: clock)
        let gaps = zip(times, times.dropFirst()).map { $0.duration(to: $1) }
        #expect(gaps.allSatisfy { (.seconds(90)...(.seconds(110))).contains($0) })
        #expect(Set(gaps).count > gaps.count / 2)
        #expect((900...1100).contains(gaps.count))
    }

    /// Fault: all replicas of a deployment sweep in the second in which they start.
    @Test func theFirstTurnIsDrawnFromItsRange() {
        let now = ContinuousClock.now
        for _ in 0..<1000 {
            let chore = Chore(every: .seconds(60), first: .seconds(6) ... .seconds(60), at: now)
            #expect(!chore.isDue(at: now + .seconds(5.9)))
            #expect(chore.isDue(at: now + .seconds(60)))
        }
        #expect(Chore(every: .seconds(60), first: .zero ... .zero, at: now).isDue(at: now))
        #expect(!Chore(every: .seconds(60), at: now).isDue(at: now + .seconds(53)))
    }

    /// Fault: a chore that takes longer than its interval, or one that fails, keeps the thread
    /// busy, or the others from their turn.
    @Test func chorePostponesOnlyItselfAndCountsFromItsEnd() {
        let clock = Clock(running: .seconds(1000))
        var (slow, failed, well) = (0, 0, 0)
        var chores = Chores()
        chores.add(Chore(every: .seconds(10), at: clock.now)) {
            slow += 1
            clock.advance(by: .seconds(30))
            return .done
        }
        chores.add(Chore(every: .seconds(500), first: .zero ... .zero, at: clock.now)) {
            failed += 1
            return .again(after: .seconds(100))
        }
        chores.add(Chore(every: .seconds(100), at: clock.now)) {
            well += 1
            return .done
        }
        chores.run(by: clock)
        #expect((22...28).contains(slow))
        #expect((7...11).contains(failed))
        #expect((6...11).contains(well))
    }

    /// Fault: what another thread asks for waits until its interval is over.
    @Test func whatIsWantedIsDoneWhenTheThreadWakes() {
        let clock = Clock(running: .seconds(20))
        var isWanted = false
        var swept: [ContinuousClock.Instant] = []
        let begin = clock.now
        var chores = Chores()
        chores.add(Chore(every: .seconds(5), at: begin)) {
            isWanted = swept.isEmpty
            return .done
        }
        chores.add(Chore(every: .seconds(3600), at: begin), isWanted: { isWanted }) {
            isWanted = false
            swept.append(clock.now)
            return .done
        }
        chores.run(by: clock)
        #expect(swept.count == 1)
        #expect(swept.allSatisfy { $0 <= begin + .seconds(5.5) })
    }

    @Test func aRaisedSignalEndsThemBeforeTheFirst() {
        let drain = DrainSignal()
        drain.raise()
        var chores = Chores()
        chores.add(Chore(every: .seconds(1), first: .zero ... .zero)) {
            Issue.record("done after the end")
            return .done
        }
        chores.run(by: drain)
    }
}
