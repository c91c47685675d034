import Messaging
import Testing

@testable import Consuming

struct SettlementTimesTests {
    private let begin = ContinuousClock.now

    private func delivery(_ tag: UInt64, session: UInt64 = 1) -> Delivery {
        Delivery(
            id: DeliveryID(session: session, tag: tag),
            message: Message(body: []),
            redelivered: false,
            receivedAt: begin
        )
    }

    /// Acks `count` deliveries, the first after a millisecond, the second after two, and so on.
    private func ack(_ count: UInt64, in times: SettlementTimes) {
        for tag in 1...count {
            times.arrived(delivery(tag))
            times.settled(Completion(id: delivery(tag).id, settlement: .ack))
            times.sent([.ack(tag: tag, multiple: false)], at: begin + .milliseconds(Int(tag)))
        }
    }

    @Test func knowsHowLongHalfAndNearlyAllTook() throws {
        let times = SettlementTimes()
        ack(100, in: times)
        let summary = times.summary
        #expect(summary["acked"]?.description == "100")
        let p50 = try #require(summary["ack_seconds_p50"].flatMap { Double("\($0)") })
        let p99 = try #require(summary["ack_seconds_p99"].flatMap { Double("\($0)") })
        #expect(abs(p50 - 0.050) < 0.001)
        #expect(abs(p99 - 0.099) < 0.001)
    }

    @Test func countsNeitherWhatWentBackNorWhatItsSessionLost() {
        let times = SettlementTimes()
        times.arrived(delivery(1))
        times.settled(Completion(id: delivery(1).id, settlement: .requeue))
        times.arrived(delivery(2))
        times.sessionOpened()
        times.settled(Completion(id: delivery(2).id, settlement: .ack))
        times.sent([.requeue(tag: 1), .ack(tag: 2, multiple: true)], at: begin)
        #expect(times.summary["acked"]?.description == "0")
    }

    @Test func countsWhatIsHeldBackWhenItGoes() {
        let times = SettlementTimes()
        for tag in 1...4 as ClosedRange<UInt64> {
            times.arrived(delivery(tag))
            times.settled(Completion(id: delivery(tag).id, settlement: .ack))
        }
        #expect(times.sent([], at: begin).isEmpty)
        let prefix = times.sent([.ack(tag: 2, multiple: true)], at: begin + .milliseconds(3))
        #expect(prefix == [.milliseconds(3), .milliseconds(3)])
        let single = times.sent([.ack(tag: 4, multiple: false)], at: begin + .milliseconds(5))
        #expect(single == [.milliseconds(5)])
    }
}
