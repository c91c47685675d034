import Foundation
import Messaging
import TestSupport
import Testing

@testable import Consuming
@testable import WorkerRuntime

struct ConsumerSimulationTests {
    /// Fault: the channel thread sleeps until half a heartbeat is over, and what is held back with
    /// it.
    @Test func theLoopSleepsNoLongerThanAcksAreHeldBack() {
        var machine = ConsumerStateMachine(drainTimeout: .seconds(20))
        let now = ContinuousClock.now
        let limit = Duration.seconds(7)
        machine.opened()
        for tag in 1...2 as ClosedRange<UInt64> { _ = machine.delivered(tag: tag) }
        let id = DeliveryID(session: machine.session, tag: 2)
        _ = machine.settled(Completion(id: id, settlement: .ack))
        let held = machine.frames(at: now, holding: 1)
        #expect(held.isEmpty)
        let hold = SettlementLedger.hold
        #expect(machine.longestSleep(from: now, atMost: limit) == hold)
        #expect(machine.longestSleep(from: now + hold * 2, atMost: limit) == .zero)
        let sent = machine.frames(at: now + hold, holding: 1)
        #expect(sent == [.ack(tag: 2, multiple: false)])
        #expect(machine.longestSleep(from: now, atMost: limit) == limit)
    }

    /// A million events over two thousand seeds, in any order that deliveries, completions, losses,
    /// drains, kills and duplicates can take. A failing seed is replayed alone with
    /// `AMITY_SEED=<number> swift test --filter ConsumerSimulation`.
    @Test func noInterleavingLosesOrDoublesAMessage() {
        let chosen = ProcessInfo.processInfo.environment["AMITY_SEED"].flatMap { UInt64($0) }
        var events = 0
        for seed in chosen.map({ $0...$0 }) ?? 0...1999 {
            var simulation = ConsumerSimulation(seed: seed)
            if let violation = simulation.run(steps: 500) {
                Issue.record("AMITY_SEED=\(seed): \(violation)")
                return
            }
            events += simulation.events
        }
        #expect(chosen != nil || events >= 1_000_000)
    }

    /// Fault: a message that breaks every session it comes to has a worker open twenty of them a
    /// second.
    @Test func aSessionThatIsLostAtOnceIsNotHurriedAndOneThatHasLivedIs() {
        var machine = ConsumerStateMachine(
            drainTimeout: .seconds(20),
            random: SeededGenerator(seed: 1)
        )
        func loseAnother(after lifetime: Duration) -> Duration {
            machine.opened()
            guard case .connect(let delay) = machine.sessionLost(after: lifetime)
            else { return .zero }
            return delay
        }
        let delays = (0..<10).map { _ in loseAnother(after: .milliseconds(10)) }
        #expect(delays[9] >= .seconds(5))
        #expect(loseAnother(after: .seconds(2)) <= .milliseconds(100))
    }

    /// Fault: a backlog of one priority keeps a lower one from starting. No fault interferes here:
    /// those take back what waits, and so end the wait.
    @Test func noKindIsPassedOverMoreThanNineTimesUnderABacklog() {
        var fair = 0
        for seed in 0..<200 as Range<UInt64> {
            var simulation = ConsumerSimulation(seed: seed, conversations: 100, prefetch: 32)
            #expect(simulation.runUnderBacklog(steps: 2000) == nil, "seed \(seed)")
            if simulation.seen.contains(.fairStart) { fair += 1 }
        }
        #expect(fair > 100)
    }

    /// The faults of the simulation do happen.
    @Test func everyKindOfEventHappens() {
        var seen: Set<ConsumerSimulation.Event> = []
        for seed in 0..<200 as Range<UInt64> {
            var simulation = ConsumerSimulation(seed: seed)
            #expect(simulation.run(steps: 500) == nil)
            seen.formUnion(simulation.seen)
        }
        #expect(seen == Set(ConsumerSimulation.Event.allCases))
    }
}

extension ConsumerSimulation {
    enum Event: CaseIterable {
        case deliver, deliverAfterCancel, begin, finish, interrupt, settle, forgetStale, flush
        case loseSession, loseWhileDraining, reconnect, pause, deliverAfterPause, resume
        case move, drainOfAMove, drain, drainTimesOut, kill, restart
        case startOfHigherPriority, fairStart, fullBatch, later
    }

    /// Work that a thread has in hand.
    struct Running {
        var work: Inbox.Work
        var deliveries: [Delivery]
        var process: Int
    }
}
