import Concurrency
import Foundation
import Messaging
import Testing

@testable import AMQP

/// Records what became of the messages of one window, each named by its only byte.
private final class Outbox {
    let results = Locked<[UInt8: Publisher.Result]>([:])
    var window: PublishWindow
    let now = ContinuousClock.now

    init(insists: Bool, _ count: UInt8) {
        window = PublishWindow(insists: insists)
        window.add((1...count).map { request($0) })
    }

    func request(_ number: UInt8) -> PublishRequest {
        var properties = MessageProperties()
        properties.messageID = "\(number)"
        return PublishRequest(
            message: Message(properties: properties, body: [number]),
            exchange: "",
            routingKey: "q",
            completion: { [results] result in results.withLock { $0[number] = result } }
        )
    }

    /// Puts on the wire all that may go.
    func send(at instant: ContinuousClock.Instant? = nil) -> [UInt8] {
        var sent: [UInt8] = []
        while let request = window.next(at: instant ?? now) { sent.append(request.message.body[0]) }
        return sent
    }

    @discardableResult
    func confirm(
        _ tag: UInt64,
        multiple: Bool = false,
        as result: Publisher.Result = .confirmed
    ) -> [UInt8] {
        window.confirm(tag: tag, multiple: multiple, as: result, at: now)
            .map { $0.request.message.body[0] }
    }

    func sendOne(at instant: ContinuousClock.Instant) -> UInt8? {
        window.next(at: instant)?.message.body[0]
    }

    var unconfirmedSince: ContinuousClock.Instant? { window.unconfirmedSince }
    func returned(_ number: UInt8) { window.returned(request(number).message) }
    func connectionLost() { window.connectionLost() }
    func abandon() { window.abandon() }
    var count: Int { window.count }
    var nextDue: ContinuousClock.Instant? { window.nextDue }
    var answers: [UInt8: Publisher.Result] { results.withLock { $0 } }
}

struct PublishWindowTests {
    @Test func confirmsSettleOneOrAllUpToTheirTag() {
        let outbox = Outbox(insists: false, 5)
        #expect(outbox.send() == [1, 2, 3, 4, 5])
        outbox.confirm(4)
        #expect(outbox.answers == [4: .confirmed])
        outbox.confirm(3, multiple: true)
        #expect(outbox.answers.keys.sorted() == [1, 2, 3, 4])
        outbox.confirm(3, multiple: true)
        outbox.confirm(99, multiple: true)
        #expect(outbox.count == 1)
        outbox.confirm(5, as: .refused)
        #expect(outbox.answers[5] == .refused)
        #expect(outbox.count == 0)
    }

    /// A return names its message by what it carries; the ack that follows is no confirm of it.
    @Test func aReturnedMessageIsNotConfirmed() {
        let outbox = Outbox(insists: false, 3)
        _ = outbox.send()
        outbox.returned(2)
        outbox.confirm(3, multiple: true)
        #expect(outbox.answers == [1: .confirmed, 2: .returned, 3: .confirmed])
    }

    @Test func aLostConnectionSendsAgainWhatWasNotConfirmedInItsOldOrder() {
        let outbox = Outbox(insists: false, 4)
        _ = outbox.send()
        outbox.confirm(2)
        outbox.connectionLost()
        #expect(outbox.send() == [1, 3, 4])
        outbox.confirm(3, multiple: true)
        #expect(outbox.answers.count == 4)
    }

    /// Fault: a message that no queue takes holds up the others, or is sent again without a pause.
    @Test func whatIsNotTakenWaitsAloneWhenItInsists() throws {
        let outbox = Outbox(insists: true, 3)
        _ = outbox.send()
        outbox.returned(2)
        #expect(outbox.confirm(3, multiple: true) == [2])
        #expect(outbox.answers == [1: .confirmed, 3: .confirmed])
        #expect(outbox.count == 1)
        #expect(outbox.send() == [])
        let due = try #require(outbox.nextDue)
        #expect(due > outbox.now)
        #expect(outbox.send(at: due) == [2])
        outbox.confirm(4)
        #expect(outbox.answers[2] == .confirmed)
    }

    @Test func whatIsAbandonedIsAnsweredOnce() {
        let outbox = Outbox(insists: true, 3)
        _ = outbox.send()
        outbox.confirm(1)
        outbox.confirm(2, as: .refused)
        outbox.abandon()
        #expect(outbox.answers == [1: .confirmed, 2: .abandoned, 3: .abandoned])
        #expect(outbox.count == 0)
    }
}

/// The lane in which the broker's objection names its message.
struct SingleWindowTests {
    private final class Lane {
        var window = PublishWindow(insists: true, limit: 1)
        let now = ContinuousClock.now
        let results = Locked<[UInt8: Publisher.Result]>([:])
        let unwanted = Locked<Set<UInt8>>([])

        init(_ count: UInt8) {
            window.add(
                (1...count).map { number in
                    PublishRequest(
                        message: Message(body: [number]),
                        exchange: "",
                        routingKey: "q\(number)",
                        isWanted: { [unwanted] in !unwanted.withLock { $0.contains(number) } },
                        completion: { [results] result in
                            results.withLock { $0[number] = result }
                        }
                    )
                }
            )
        }

        func send(at instant: ContinuousClock.Instant? = nil) -> [UInt8] {
            var sent: [UInt8] = []
            while let request = window.next(at: instant ?? now) {
                sent.append(request.message.body[0])
            }
            return sent
        }

        func close() -> UInt8? {
            let error = AMQPError.closedByBroker(code: 406, text: "too large", during: "publish")
            return window.channelClosed(by: error, at: now)?.request.message.body[0]
        }

        var nextDue: ContinuousClock.Instant? { window.nextDue }
        var refused: Publisher.Withheld { window.refused }
        var troubled: Set<String> { window.troubled }
        var count: Int { window.count }

        func confirm(_ tag: UInt64) {
            _ = window.confirm(tag: tag, multiple: false, as: .confirmed, at: now)
        }
    }

    /// Fault: the message that closes the channel is at the head of the next one, for ever.
    @Test func theMessageThatClosesTheChannelWaitsAndTheOthersGoOn() throws {
        let lane = Lane(3)
        #expect(lane.send() == [1])
        #expect(lane.close() == 1)
        #expect(lane.refused == Publisher.Withheld(count: 1, bytes: 1))
        #expect(lane.troubled == ["q1"])
        for (number, tag) in [(2, 1), (3, 2)] as [(UInt8, UInt64)] {
            #expect(lane.send() == [number])
            lane.confirm(tag)
        }
        #expect(lane.send() == [])
        let due = try #require(lane.nextDue)
        #expect(lane.send(at: due) == [1])
        #expect(lane.close() == 1)
        let later = try #require(lane.nextDue)
        #expect(lane.send(at: later) == [1])
        lane.confirm(1)
        #expect(lane.results.withLock { $0 } == [1: .confirmed, 2: .confirmed, 3: .confirmed])
        #expect(lane.refused == Publisher.Withheld() && lane.troubled.isEmpty)
    }

    /// Fault: the session of the original is lost, the broker delivers it again, and for each time
    /// another copy waits until the broker takes them all.
    @Test func aCopyWhoseOriginalIsTheBrokersAgainIsDropped() {
        let lane = Lane(2)
        #expect(lane.send() == [1])
        #expect(lane.close() == 1)
        lane.unwanted.withLock { $0 = [1, 2] }
        #expect(lane.send(at: lane.nextDue) == [])
        #expect(lane.results.withLock { $0 } == [1: .abandoned, 2: .abandoned])
        #expect(lane.count == 0 && lane.refused == Publisher.Withheld())
    }
}

struct OverdueConfirmTests {
    /// Fault: a broker never confirms what it was sent between two leaders of a queue, and the copy
    /// waits for ever; or the wait is counted from a message that was confirmed.
    @Test func theOldestMessageWithoutAConfirmIsKnown() {
        let outbox = Outbox(insists: true, 2)
        #expect(outbox.unconfirmedSince == nil)
        #expect(outbox.sendOne(at: outbox.now) == 1)
        #expect(outbox.sendOne(at: outbox.now + .seconds(1)) == 2)
        #expect(outbox.unconfirmedSince == outbox.now)
        outbox.confirm(1)
        #expect(outbox.unconfirmedSince == outbox.now + .seconds(1))
        outbox.connectionLost()
        #expect(outbox.unconfirmedSince == nil)
    }
}
