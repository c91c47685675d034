import Foundation
import Testing

@testable import AnalysisServices

struct TokenBucketTests {
    private let start = ContinuousClock.now

    /// Simulates callers who come as fast as they can.
    ///
    /// - Returns: when each token may be spent, in seconds.
    private func spend(_ count: Int, from bucket: inout TokenBucket) -> [Double] {
        (0..<count).map { _ in bucket.take(at: start) / .seconds(1) }
    }

    @Test(arguments: [(10.0, 10), (1, 1), (0.5, 1), (2.5, 2)])
    func aSecondsWorthGoesAtOnceAndTheRestAtTheRate(rate: Double, atOnce: Int) {
        var bucket = TokenBucket(perSecond: rate)
        let times = spend(50, from: &bucket)
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
        var bucket = TokenBucket(perSecond: 10)
        _ = spend(1, from: &bucket)
        let morning = start + .seconds(36_000)
        let free = (0..<50).count { _ in bucket.take(at: morning) == .zero }
        #expect(free == 10)
    }

    @Test func withoutALimitNobodyWaitsUnlessTheServiceSaysSo() {
        var bucket = TokenBucket(perSecond: nil)
        #expect(spend(1000, from: &bucket).allSatisfy { $0 == 0 })
        bucket.pause(until: start + .seconds(7))
        bucket.pause(until: start + .seconds(3))
        #expect(spend(3, from: &bucket) == [7, 7, 7])
        let later = bucket.take(at: start + .seconds(8))
        #expect(later == .zero)
    }
}

struct RetryAfterTests {
    /// 2026-01-01T10:00:00Z
    private let now = Date(timeIntervalSince1970: 1_767_261_600)

    @Test(arguments: [
        ("0", 0.0), ("7", 7), (" 1.5 ", 1.5), ("Thu, 01 Jan 2026 10:00:30 GMT", 30),
        ("Thursday, 01-Jan-26 10:01:00 GMT", 60), ("Thu Jan  1 10:00:05 2026", 5),
        ("Wed, 31 Dec 2025 10:00:00 GMT", 0), ("99999999999999999999", 315_360_000),
    ])
    func readsSecondsAndDates(text: String, seconds: Double) throws {
        let delay = try #require(RetryAfter.delay(text, at: now))
        #expect(abs(delay / .seconds(1) - seconds) < 0.001)
    }

    @Test(arguments: ["", "soon", "-1", "nan", "inf", "1e999", "Thu, 99 Jan 2026 10:00:30 GMT"])
    func takesNothingElse(text: String) {
        #expect(RetryAfter.delay(text, at: now) == nil)
    }
}

struct PermitsTests {
    /// Fault: a cancelled waiter keeps its place, and the permit that it is given is lost.
    @Test func aCancelledWaiterTakesNoPermit() async {
        let permits = Permits(1)
        #expect(await permits.acquire())
        let waiter = Task { await permits.acquire() }
        let next = Task { await permits.acquire() }
        waiter.cancel()
        #expect(await !waiter.value)
        permits.release()
        #expect(await next.value)
        permits.release()
        #expect(await permits.acquire())
    }
}
