import Messaging
import TestSupport
import Testing

@testable import Consuming

private func completion(_ tag: UInt64, _ settlement: Settlement, session: UInt64 = 1) -> Completion
{
    Completion(id: DeliveryID(session: session, tag: tag), settlement: settlement)
}

extension SettlementLedger {
    /// A macro cannot call what mutates, so the tests go through a reference.
    fileprivate final class Box {
        var ledger: SettlementLedger
        private let begin = ContinuousClock.now
        init(_ ledger: SettlementLedger) { self.ledger = ledger }
        func settle(_ completion: Completion) -> Bool { ledger.settle(completion) }
        func frames(after wait: Duration = .zero, holding most: Int = 0) -> [Frame] {
            ledger.frames(at: begin + wait, holding: most)
        }
        var unsettled: Int { ledger.unsettled }
    }
}

private func ledger(delivered count: UInt64) -> SettlementLedger.Box {
    var ledger = SettlementLedger(session: 1)
    for tag in 1...count { ledger.delivered(tag: tag) }
    return .init(ledger)
}

struct SettlementLedgerTests {
    @Test func settlesAContiguousPrefixWithOneFrame() {
        let ledger = ledger(delivered: 5)
        for tag in [3, 1, 2] as [UInt64] { #expect(ledger.settle(completion(tag, .ack))) }
        #expect(ledger.frames() == [.ack(tag: 3, multiple: true)])
        #expect(ledger.unsettled == 2)
    }

    @Test func settlesOthersOnTheirOwn() {
        let ledger = ledger(delivered: 5)
        #expect(ledger.settle(completion(4, .ack)))
        #expect(ledger.settle(completion(2, .requeue)))
        #expect(ledger.frames() == [.requeue(tag: 2), .ack(tag: 4, multiple: false)])
        #expect(ledger.unsettled == 3)
    }

    /// Batches overtake one another all the time; the broker works for every frame.
    @Test func letsAnAckWaitForThoseBeforeItWhileThreadsFindWork() {
        let ledger = ledger(delivered: 5)
        for tag in [2, 3] as [UInt64] { #expect(ledger.settle(completion(tag, .ack))) }
        #expect(ledger.frames(holding: 2).isEmpty)
        #expect(ledger.unsettled == 5)
        #expect(ledger.settle(completion(1, .ack)))
        #expect(ledger.frames(holding: 2) == [.ack(tag: 3, multiple: true)])
        #expect(ledger.ledger.holdsUntil == nil)
    }

    @Test func letsNoAckWaitForLong() throws {
        let ledger = ledger(delivered: 5)
        #expect(ledger.settle(completion(2, .ack)))
        #expect(ledger.frames(holding: 9).isEmpty)
        #expect(ledger.settle(completion(4, .ack)))
        let hold = SettlementLedger.hold
        // The clock runs from the first one.
        #expect(ledger.frames(after: hold - .milliseconds(1), holding: 9).isEmpty)
        let late = ledger.frames(after: hold, holding: 9)
        #expect(late == [.ack(tag: 2, multiple: false), .ack(tag: 4, multiple: false)])
        #expect(ledger.ledger.holdsUntil == nil)
    }

    /// Fault: beside one delivery that takes its time, all others are held again and again, until
    /// the prefetch is full of them.
    @Test func waitsOnceForOneThatTakesLong() {
        let ledger = ledger(delivered: 6)
        #expect(ledger.settle(completion(2, .ack)))
        #expect(ledger.frames(holding: 9).isEmpty)
        let hold = SettlementLedger.hold
        #expect(ledger.frames(after: hold, holding: 9).count == 1)
        #expect(ledger.settle(completion(3, .ack)))
        #expect(ledger.frames(after: hold, holding: 9) == [.ack(tag: 3, multiple: false)])
        #expect(ledger.settle(completion(5, .ack)))
        #expect(ledger.settle(completion(1, .ack)))
        let first = ledger.frames(after: hold, holding: 9)
        #expect(first == [.ack(tag: 1, multiple: false)], "the fifth waits for the fourth")
        #expect(ledger.settle(completion(4, .ack)))
        #expect(ledger.frames(after: hold, holding: 9) == [.ack(tag: 5, multiple: true)])
    }

    /// Fault: a delivery that has just become the first is taken for the slow one, and nothing
    /// waits for it.
    @Test func blamesOnlyWhatWasWaitedFor() {
        let ledger = ledger(delivered: 6)
        #expect(ledger.settle(completion(2, .ack)))
        #expect(ledger.settle(completion(4, .ack)))
        #expect(ledger.frames(holding: 9).isEmpty)
        #expect(ledger.settle(completion(1, .ack)))
        let hold = SettlementLedger.hold
        let late = ledger.frames(after: hold, holding: 9)
        #expect(late == [.ack(tag: 2, multiple: true), .ack(tag: 4, multiple: false)])
        #expect(ledger.settle(completion(5, .ack)))
        #expect(ledger.frames(after: hold, holding: 9).isEmpty, "it waits for the third")
    }

    /// Fault: what is held back counts against the prefetch limit, so threads could run out of
    /// work.
    @Test func holdsBackNoMoreThanIsSaid() {
        let ledger = ledger(delivered: 5)
        for tag in [2, 3, 4] as [UInt64] { #expect(ledger.settle(completion(tag, .ack))) }
        #expect(ledger.frames(holding: 2).count == 3)
    }

    @Test func neverHoldsBackWhatGoesBack() {
        let ledger = ledger(delivered: 3)
        #expect(ledger.settle(completion(2, .requeue)))
        #expect(ledger.settle(completion(3, .ack)))
        #expect(ledger.frames(holding: 9) == [.requeue(tag: 2)])
        #expect(ledger.settle(completion(1, .ack)))
        #expect(ledger.frames(holding: 9) == [.ack(tag: 3, multiple: true)])
    }

    /// Fault: a multiple ack that names a tag settled before is a 406 that closes the channel.
    @Test func neverNamesATagThatIsAlreadySettled() {
        let ledger = ledger(delivered: 3)
        #expect(ledger.settle(completion(2, .ack)))
        #expect(ledger.frames() == [.ack(tag: 2, multiple: false)])
        #expect(ledger.settle(completion(1, .ack)))
        #expect(ledger.frames() == [.ack(tag: 1, multiple: false)])
        #expect(ledger.settle(completion(3, .requeue)))
        #expect(ledger.frames() == [.requeue(tag: 3)])
        #expect(ledger.unsettled == 0)
    }

    /// Fault: tags restart at 1 on a new channel, so a stale one may name a different live message.
    @Test(arguments: [Settlement.ack, .requeue])
    func forgetsWhatIsStaleUnknownOrRepeated(settlement: Settlement) {
        let ledger = SettlementLedger.Box(SettlementLedger(session: 2))
        ledger.ledger.delivered(tag: 1)
        #expect(!ledger.settle(completion(1, settlement, session: 1)))
        #expect(!ledger.settle(completion(2, settlement, session: 2)))
        #expect(!ledger.settle(completion(0, settlement, session: 2)))
        #expect(ledger.settle(completion(1, settlement, session: 2)))
        #expect(!ledger.settle(completion(1, settlement, session: 2)))
        #expect(ledger.frames().count == 1)
        #expect(!ledger.settle(completion(1, settlement, session: 2)))
        #expect(ledger.frames().isEmpty)
    }

    /// Holds the frames against a model of the broker: every tag settled exactly once, as decided,
    /// and none held back for longer than allowed.
    @Test(arguments: 0..<200)
    func agreesWithTheBrokerUnderAnyInterleaving(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        let ledger = SettlementLedger.Box(SettlementLedger(session: 1))
        var outstanding: Set<UInt64> = []
        var decisions: [UInt64: Settlement] = [:]
        var undecided: [UInt64] = []
        var delivered: UInt64 = 0
        var now = Duration.zero
        var heldSince: Duration?
        for _ in 0..<300 {
            switch Int.random(in: 0..<3, using: &random) {
            case 0:
                delivered += 1
                ledger.ledger.delivered(tag: delivered)
                outstanding.insert(delivered)
                undecided.append(delivered)
            case 1 where !undecided.isEmpty:
                let index = Int.random(in: 0..<undecided.count, using: &random)
                let tag = undecided.remove(at: index)
                let requeue = Int.random(in: 0..<5, using: &random) == 0
                decisions[tag] = requeue ? .requeue : .ack
                #expect(ledger.settle(completion(tag, decisions[tag]!)))
            case _:
                let most = Int.random(in: 0...4, using: &random)
                now += .milliseconds(Int.random(in: 0...3, using: &random))
                for frame in ledger.frames(after: now, holding: most) {
                    let settled: (tags: Set<UInt64>, how: Settlement)
                    switch frame {
                    case .ack(let tag, multiple: true):
                        #expect(outstanding.contains(tag), "seed \(seed): unknown tag \(tag)")
                        settled = (outstanding.filter { $0 <= tag }, .ack)
                    case .ack(let tag, multiple: false): settled = ([tag], .ack)
                    case .requeue(let tag): settled = ([tag], .requeue)
                    }
                    #expect(settled.tags.isSubset(of: outstanding), "seed \(seed)")
                    for tag in settled.tags { #expect(decisions[tag] == settled.how) }
                    outstanding.subtract(settled.tags)
                }
                let held = outstanding.subtracting(undecided)
                #expect(held.count <= most, "seed \(seed): too many were held back")
                #expect(held.allSatisfy { decisions[$0] == .ack && $0 > undecided.min() ?? 0 })
                heldSince = held.isEmpty ? nil : heldSince ?? now
                #expect(now - (heldSince ?? now) < SettlementLedger.hold, "seed \(seed)")
                #expect(ledger.unsettled == outstanding.count)
            }
        }
    }
}
