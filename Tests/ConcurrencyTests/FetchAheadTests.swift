import Concurrency
import Glibc
import Testing

struct FetchAheadTests {
    private let ahead = FetchAhead<String, Int>(lifetime: .seconds(600), patience: .seconds(600))

    @Test func eachIsFetchedByOneThreadAndTakenOnce() {
        #expect(ahead.begin(["a", "b"]) == ["a", "b"])
        #expect(ahead.begin(["b", "c"]) == ["c"])
        ahead.end(["a", "b"], ["a": 1, "b": 2, "other": 3])
        #expect(ahead.take("a") == 1)
        #expect(ahead.take("a") == nil)
        #expect(ahead.take("b") == 2)
        #expect(ahead.take("other") == nil, "it was not begun")
    }

    /// Fault: threads fetch what another one is fetching; or wait for it for ever.
    @Test func othersWaitForAFetchThatIsOnItsWay() {
        _ = ahead.begin(["a", "gone"])
        let answers = Locked<[String]>([])
        let done = MonotonicSemaphore(value: 0)
        for key in ["a", "a", "gone"] {
            startThread(name: "takes", stackBytes: 1 << 18) { [ahead] in
                let value = ahead.take(key).map(String.init) ?? "none"
                answers.withLock { $0.append("\(key) \(value)") }
                done.signal()
            }
        }
        while ahead.waiting < 3 { sched_yield() }
        ahead.end(["a", "gone"], ["a": 1])
        for _ in 0..<3 { done.wait() }
        #expect(answers.withLock { $0.sorted() } == ["a 1", "a none", "gone none"])
    }

    /// Fault: a thread waits as long as another one's fetch hangs.
    @Test func aFetchThatHangsIsNotWaitedForForLong() {
        let ahead = FetchAhead<String, Int>(lifetime: .seconds(600), patience: .milliseconds(10))
        _ = ahead.begin(["a"])
        #expect(ahead.take("a") == nil)
        ahead.end(["a"], ["a": 1])
        #expect(ahead.take("a") == 1)
    }

    /// Fault: what cannot be had is fetched again and again along with others.
    @Test func whatWasNotToBeHadIsLeftToItsOwnThread() {
        _ = ahead.begin(["a"])
        ahead.end(["a"], [:])
        #expect(ahead.begin(["a"]).isEmpty)
        #expect(ahead.take("a") == nil)
        #expect(ahead.begin(["a"]) == ["a"])
    }

    /// Fault: what goes back to the broker stays in memory, and is as it was long ago when it
    /// comes again.
    @Test func whatIsOldIsFetchedAgain() {
        let ahead = FetchAhead<String, Int>(lifetime: .zero, patience: .seconds(600))
        for value in 1...2 {
            #expect(ahead.begin(["a", "b"]) == ["a", "b"])
            ahead.end(["a", "b"], ["a": value, "b": value])
        }
        #expect(ahead.take("a") == nil)
    }

    /// Fault: what was found out of date is fetched again along with others, and again.
    @Test func whatIsOutOfDateIsLeftToItsOwnThread() {
        _ = ahead.begin(["a", "b", "c"])
        ahead.end(["a", "b"], ["a": 1, "b": 2])
        ahead.outdate { $0 == 1 }
        #expect(ahead.begin(["a", "c"]).isEmpty, "c is on its way")
        #expect(ahead.take("a") == nil)
        #expect(ahead.take("b") == 2)
        #expect(ahead.begin(["a", "b"]) == ["a", "b"])
    }
}
