import Testing

@testable import AnalysisServices

struct CircuitBreakerTests {
    private let start = ContinuousClock.now

    /// A breaker that has just opened.
    private func opened() -> CircuitBreaker {
        var breaker = CircuitBreaker()
        for _ in 0..<5 { _ = fail(&breaker, at: start) }
        return breaker
    }

    private func fail(
        _ breaker: inout CircuitBreaker,
        at now: ContinuousClock.Instant
    ) -> CircuitBreaker.Change? {
        guard let ticket = breaker.admit(at: now) else { return nil }
        return breaker.record(.failed, of: ticket, at: now)
    }

    private func admit(
        _ breaker: inout CircuitBreaker,
        at now: ContinuousClock.Instant
    ) throws -> CircuitBreaker.Ticket {
        let ticket = breaker.admit(at: now)
        return try #require(ticket)
    }

    @Test func opensAfterFiveFailuresInARowAndSaysSoOnce() {
        var breaker = CircuitBreaker()
        for _ in 0..<4 {
            let change = fail(&breaker, at: start)
            #expect(change == nil && !breaker.refuses(at: start))
        }
        let change = fail(&breaker, at: start)
        #expect(change == .opened(for: .seconds(5)))
        #expect(breaker.refuses(at: start + .seconds(4)))
        let refused = breaker.admit(at: start + .seconds(4))
        #expect(refused == nil)
    }

    /// Fault: a service that answers most of the time is cut off, because failures add up over
    /// hours.
    @Test func anAnswerInBetweenClearsTheCount() throws {
        var breaker = CircuitBreaker()
        for round in 0..<20 {
            let ticket = try admit(&breaker, at: start)
            let verdict: CircuitBreaker.Verdict = round % 5 == 4 ? .answered : .failed
            let change = breaker.record(verdict, of: ticket, at: start)
            #expect(change == nil)
        }
    }

    /// Fault: the pause is over, and 480 threads fall upon a service that is just getting up.
    @Test func oneProbeFindsOutAndItsAnswerLetsAllIn() throws {
        var breaker = opened()
        let later = start + .seconds(5)
        let probe = try admit(&breaker, at: later)
        #expect(probe.isProbe)
        let second = breaker.admit(at: later)
        #expect(second == nil && breaker.refuses(at: later + .seconds(100)))
        let change = breaker.record(.answered, of: probe, at: later + .seconds(1))
        #expect(change == .closed(after: .seconds(6)))
        let next = try admit(&breaker, at: later + .seconds(1))
        #expect(!next.isProbe)
    }

    @Test func aFailedProbeOpensItForTwiceAsLongUpToAMinute() throws {
        var breaker = opened()
        var now = start
        for seconds in [5, 10, 20, 40, 60, 60] {
            now += .seconds(seconds) - .milliseconds(1)
            #expect(breaker.refuses(at: now))
            now += .milliseconds(1)
            let probe = try admit(&breaker, at: now)
            let change = breaker.record(.failed, of: probe, at: now)
            #expect(change == nil, "the log has said so")
        }
    }

    /// Fault: a probe is given up at a drain, or by a conversation that was settled, and no later
    /// call becomes a probe.
    @Test func aProbeThatSaysNothingLeavesItToTheNext() throws {
        var breaker = opened()
        let later = start + .seconds(5)
        let probe = try admit(&breaker, at: later)
        let change = breaker.record(.unknown, of: probe, at: later)
        #expect(change == nil)
        let next = try admit(&breaker, at: later)
        #expect(next.isProbe)
    }

    /// Fault: what was asked before it opened comes back late, and opens it again, or closes it.
    @Test(arguments: [CircuitBreaker.Verdict.failed, .answered])
    func whatWasAskedBeforeSaysNothingNew(verdict: CircuitBreaker.Verdict) throws {
        var breaker = CircuitBreaker()
        let early = try admit(&breaker, at: start)
        for _ in 0..<5 { _ = fail(&breaker, at: start) }
        let change = breaker.record(verdict, of: early, at: start + .seconds(1))
        #expect(change == nil && breaker.refuses(at: start + .seconds(4)))
        #expect(!breaker.refuses(at: start + .seconds(5)))
        let probe = try admit(&breaker, at: start + .seconds(5))
        let late = breaker.record(verdict, of: early, at: start + .seconds(5))
        #expect(late == nil && breaker.refuses(at: start + .seconds(5)))
        let end = breaker.record(.answered, of: probe, at: start + .seconds(5))
        #expect(end == .closed(after: .seconds(5)))
    }

    /// A service that says for how long it wants to be left alone is believed, within reason.
    @Test(arguments: [(5.0, 5.0), (120.0, 120.0), (86_400.0, 600.0)])
    func aWishIsGranted(wish: Double, pause: Double) throws {
        var breaker = CircuitBreaker()
        let ticket = try admit(&breaker, at: start)
        let change = breaker.record(.failed, of: ticket, wish: .seconds(wish), at: start)
        #expect(change == .opened(for: .seconds(pause)))
        #expect(!breaker.refuses(at: start + .seconds(pause)))
    }

    /// Fault: a service that is merely asked too often is given up by all, again and again.
    @Test func aSecondOfPatienceIsNoFailureOfTheService() throws {
        var breaker = CircuitBreaker()
        let ticket = try admit(&breaker, at: start)
        let change = breaker.record(.failed, of: ticket, wish: .seconds(1), at: start)
        #expect(change == nil && !breaker.refuses(at: start))
    }
}
