import Concurrency
import Testing

@testable import Storage

struct PersistenceTests {
    /// Fault: a worker that stops holds its messages until the database is back.
    @Test func aDrainEndsTheTries() {
        let drain = DrainSignal()
        drain.raise()
        var persistence = Persistence(until: drain)
        let mayTry = persistence.mayTryAgain(within: .seconds(3600))
        #expect(!mayTry)
    }

    /// Fault: messages are held longer than the broker waits for them.
    @Test func theLimitEndsThemAlsoInAPause() {
        let begin = ContinuousClock.now
        var persistence = Persistence(until: DrainSignal())
        var tries = 0
        while persistence.mayTryAgain(within: .milliseconds(50)) { tries += 1 }
        #expect(tries > 0)
        #expect(begin.duration(to: .now) < .seconds(10))
        let mayTry = persistence.mayTryAgain(within: .zero)
        #expect(!mayTry)
    }
}
