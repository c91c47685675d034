import Testing

@testable import Events

struct EventLedgerTests {
    private let start = ContinuousClock.now

    private func at(_ seconds: Int) -> ContinuousClock.Instant { start + .seconds(seconds) }

    /// Fault: a queue refuses one event, takes the next of the same task, and gets the first one
    /// after it.
    @Test func noTwoOfASubjectAreOnTheirWayAtOnce() {
        var ledger = EventLedger()
        ledger.send(1, of: "a", as: 1, at: at(0))
        #expect(!ledger.isFree("a") && ledger.isFree("b"))
        ledger.wait(2, behind: "a")
        ledger.send(3, of: "b", as: 2, at: at(0))
        #expect(ledger.held == [1, 2, 3])
        #expect(ledger.answer(1, isTaken: true, at: at(1)) == "a")
        #expect(ledger.isFree("a") && ledger.confirmed == [1] && ledger.held == [1, 3])
        ledger.delete([1])
        #expect(ledger.confirmed.isEmpty && ledger.held == [3])
    }

    /// Fault: one queue refuses an event for an hour, and each second all others get it again.
    @Test func whatIsRefusedRestsLongerEachTime() {
        var ledger = EventLedger()
        var now = 0
        for (tag, rest) in [1, 2, 4, 8, 16, 32, 60, 60].enumerated() {
            ledger.send(1, of: "a", as: UInt64(tag), at: at(now))
            ledger.wait(2, behind: "a")
            #expect(ledger.answer(UInt64(tag), isTaken: false, at: at(now)) == nil)
            #expect(ledger.hasRefused && !ledger.isFree("a") && ledger.held == [1, 2])
            ledger.wake(at: at(now + rest - 1))
            #expect(!ledger.isFree("a"))
            now += rest
            ledger.wake(at: at(now))
            // It is still known to be refused until it is taken.
            #expect(ledger.hasRefused && ledger.isFree("a") && ledger.held.isEmpty)
        }
        ledger.send(1, of: "a", as: 100, at: at(now))
        #expect(ledger.answer(100, isTaken: true, at: at(now)) == "a")
        #expect(!ledger.hasRefused)
    }

    /// Fault: a confirm of a connection that is gone is taken for one of the next.
    @Test func whatIsLostIsSentAgain() {
        var ledger = EventLedger()
        ledger.send(1, of: "a", as: 1, at: at(0))
        #expect(ledger.oldestSent == at(0))
        ledger.lose(at: at(5))
        #expect(ledger.oldestSent == nil && !ledger.hasRefused && ledger.held == [1])
        #expect(ledger.answer(1, isTaken: true, at: at(5)) == nil)
        ledger.wake(at: at(6))
        #expect(ledger.isFree("a") && ledger.held.isEmpty && ledger.confirmed.isEmpty)
        // Another process has sent it: nothing of it is kept.
        ledger.wake(at: at(7))
        ledger.send(2, of: "a", as: 1, at: at(7))
        #expect(ledger.answer(1, isTaken: false, at: at(7)) == nil)
        ledger.wake(at: at(8))
        #expect(ledger.isFree("a"), "it rests for a second, as at first")
    }

    /// Fault: a database that was restored gives an id to another event, and that one is deleted
    /// for the confirm of the first.
    @Test func afterTheDatabaseNoRowIsKnown() {
        var ledger = EventLedger()
        ledger.send(1, of: "a", as: 1, at: at(0))
        ledger.send(2, of: "b", as: 2, at: at(0))
        ledger.send(3, of: "c", as: 3, at: at(0))
        _ = ledger.answer(1, isTaken: true, at: at(0))
        _ = ledger.answer(3, isTaken: false, at: at(0))
        ledger.forgetRows()
        #expect(ledger.held.isEmpty && ledger.confirmed.isEmpty)
        #expect(ledger.answer(2, isTaken: true, at: at(0)) == nil && ledger.confirmed.isEmpty)
        #expect(!ledger.isFree("c"), "the queue that refused it does so still")
    }
}
