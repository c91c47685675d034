import Testing
import WorkerHealth

@testable import Operations

struct WorkerSamplerTests {
    private let begin = ContinuousClock.now

    private func totals(_ done: Int) -> WorkerCounts.Totals {
        var totals = WorkerCounts.Totals()
        totals.done = done
        return totals
    }

    /// Fault: a sample that the database did not take is lost, and the history has a hole in it.
    @Test func whatCouldNotBeStoredIsPartOfTheNextSample() throws {
        var sampler = WorkerSampler(at: begin)
        #expect(sampler.next(totals(5), { nil }, at: begin + .seconds(9)) == nil)
        let refused = try #require(sampler.next(totals(7), { nil }, at: begin + .seconds(10)))
        #expect(refused.done == 7)
        let sample = sampler.next(totals(9), { nil }, at: begin + .seconds(15))
        #expect(sample?.done == 9)
        sampler.stored(sample)
        #expect(sampler.next(totals(12), { nil }, at: begin + .seconds(19)) == nil)
        #expect(sampler.next(totals(12), { nil }, at: begin + .seconds(25))?.done == 3)
    }

    /// Fault: a table that is made after a day makes a peak of that day's work.
    @Test func whatWasSkippedIsNotReportedLater() {
        var sampler = WorkerSampler(at: begin)
        sampler.skip(totals(1000), at: begin + .seconds(5))
        #expect(sampler.next(totals(1001), { nil }, at: begin + .seconds(14)) == nil)
        #expect(sampler.next(totals(1003), { nil }, at: begin + .seconds(15))?.done == 3)
    }

    /// Fault: ack times are taken, and so forgotten, with every heartbeat.
    @Test func ackTimesAreTakenOnlyForASample() {
        let sampler = WorkerSampler(at: begin)
        let counts = WorkerCounts()
        counts.turned(hasArrivals: true, acked: [.milliseconds(20)], inFlight: 0)
        #expect(sampler.next(totals(0), counts.takeAckTimes, at: begin + .seconds(5)) == nil)
        let sample = sampler.next(totals(0), counts.takeAckTimes, at: begin + .seconds(10))
        #expect(sample?.ackTimes?.count == 1)
        #expect(((sample?.ackTimes?.p99 ?? 0) * 1000).rounded() == 20)
        #expect(counts.takeAckTimes() == nil)
    }
}
