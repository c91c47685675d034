import Foundation
import Testing
import WorkerRuntime

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

    /// Fault: a message that nobody takes holds up the others, or is tried again without a pause.
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
