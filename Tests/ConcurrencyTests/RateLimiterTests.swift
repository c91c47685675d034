import Concurrency
import Testing

struct RateLimiterTests {
    private let start = ContinuousClock.now

    /// Simulates callers who come as fast as they can.
    ///
    /// - Returns: when each token may be spent, in seconds.
    private func spend(_ count: Int, from limiter: inout RateLimiter) -> [Double] {
        (0..<count).map { _ in limiter.take(at: start) / .seconds(1) }
    }

    @Test(arguments: [(10.0, 10), (1, 1), (0.5, 1), (2.5, 2)])
    func aSecondsWorthGoesAtOnceAndTheRestAtTheRate(rate: Double, atOnce: Int) {
        var limiter = RateLimiter(perSecond: rate)
        let times = spend(50, from: &limiter)
        #expect(times.count { $0 < 0.000_001 } == atOnce)
        let last = times[49] - times[48]
        #expect(abs(last - 1 / rate) < 0.000_001)
        for second in 1...4 {
            // In no stretch of time more than the rate and what was saved up.
            let begun = times.count { $0 < Double(second) - 0.000_001 }
            #expect(Double(begun) <= rate * Double(second) + max(1, rate))
        }
    }

    /// Fault: a night without work is saved up, and the morning begins with a thousand requests.
    @Test func noMoreThanASecondIsSavedUp() {
        var limiter = RateLimiter(perSecond: 10)
        _ = spend(1, from: &limiter)
        let morning = start + .seconds(36_000)
        let free = (0..<50).count { _ in limiter.take(at: morning) == .zero }
        #expect(free == 10)
    }

    @Test func withoutALimitOnlyAPauseMakesCallersWait() {
        var limiter = RateLimiter(perSecond: nil)
        #expect(spend(1000, from: &limiter).allSatisfy { $0 == 0 })
        limiter.pause(until: start + .seconds(7))
        limiter.pause(until: start + .seconds(3))
        #expect(spend(3, from: &limiter) == [7, 7, 7])
        let later = limiter.take(at: start + .seconds(8))
        #expect(later == .zero)
    }

    /// Fault: guesses that were refused use up those of a client that has the right token.
    @Test func aRefusalCostsLaterCallersNothing() {
        var limiter = RateLimiter(perSecond: 1, atOnce: 10)
        let begin = start + .seconds(60)
        let admitted = (0..<1000).count { _ in limiter.takeAtOnce(at: begin) }
        #expect(admitted == 10)
        let next = limiter.takeAtOnce(at: begin + .seconds(1))
        #expect(next)
    }

    /// Fault: a client that asks as fast as it can takes the processor from the consumer.
    @Test func oneSecondsWorthComesAtOnceAndTheRestWaits() {
        var limiter = RateLimiter(perSecond: 100)
        let later = start + .seconds(10)
        let delays = (0..<102).map { _ in limiter.take(at: later) }
        #expect(delays.prefix(100).allSatisfy { $0 == .zero })
        #expect(delays.suffix(2) == [.milliseconds(10), .milliseconds(20)])
        let rested = limiter.take(at: later + .seconds(5))
        #expect(rested == .zero)
    }
}
