import Testing

@testable import TaskScheduling

struct LeadershipTests {
    private let start = ContinuousClock.now

    private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

    /// Answers each second from one second to another; those in between are the same.
    private func answer(
        _ leadership: inout Leadership,
        _ seconds: ClosedRange<Int>,
        leads: Bool = true
    ) {
        for second in seconds {
            leadership.answered(leads: leads, sentAt: at(Double(second)), at: at(Double(second)))
        }
    }

    /// Fault: a leader whose answers take long counts from their arrival, and leads beside the next
    /// one.
    @Test func theLeaseCountsFromWhenTheRenewalWasSent() {
        var leadership = Leadership()
        #expect(!leadership.leads(at: at(0)))
        leadership.answered(leads: true, sentAt: at(0), at: at(2))
        #expect(leadership.leads(at: at(4.9)) && !leadership.leads(at: at(5)))
        // A failure says nothing about the lease.
        leadership.failed()
        #expect(leadership.leads(at: at(4.9)))
        leadership.answered(leads: false, sentAt: at(3), at: at(3))
        #expect(!leadership.leads(at: at(3)))
    }

    /// Fault: the database was away, and the first to come back calls all workers lost.
    @Test func noWorkerIsLostUntilTheDatabaseHasAnsweredForLong() {
        var leadership = Leadership()
        answer(&leadership, 0...14)
        #expect(!leadership.mayCallLost(at: at(14.9)))
        #expect(leadership.mayCallLost(at: at(15)))
        leadership.failed()
        #expect(!leadership.mayCallLost(at: at(15)))
        answer(&leadership, 16...30)
        #expect(!leadership.mayCallLost(at: at(30.9)))
        answer(&leadership, 31...31)
        #expect(leadership.mayCallLost(at: at(31)))
    }

    /// Fault: this process was stopped, or its machine slept, and wakes up as the leader.
    @Test func aGapBetweenAnswersBeginsTheRowAnew() {
        var leadership = Leadership()
        answer(&leadership, 0...20)
        #expect(leadership.mayCallLost(at: at(20)))
        #expect(!leadership.mayCallLost(at: at(23.5)))
        answer(&leadership, 80...80)
        #expect(leadership.leads(at: at(80)) && !leadership.mayCallLost(at: at(80)))
    }

    /// A process that did not lead has seen the database as well.
    @Test func whatWasSeenBeforeItLedCounts() {
        var leadership = Leadership()
        answer(&leadership, 0...20, leads: false)
        #expect(!leadership.mayCallLost(at: at(20)))
        answer(&leadership, 21...21)
        #expect(leadership.mayCallLost(at: at(21)))
    }
}
