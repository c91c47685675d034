import Messaging
import Testing

@testable import WorkerRuntime

/// Deliveries that come back into the inbox from a batch.
struct PutBackTests {
    private func putBack(_ tag: UInt64, session: UInt64 = 1) -> Delivery {
        var delivery = delivery(tag)
        delivery.id = DeliveryID(session: session, tag: tag)
        delivery.deferrals = 1
        return delivery
    }

    /// What a single thread is given next, and has done at once.
    private func work(_ inbox: inout Inbox, _ batchLimit: Int) -> [UInt64] {
        guard let work = inbox.next(batchLimits: [batchLimit, 1]) else { return [] }
        inbox.finished(work, in: .zero)
        guard case .batch(let batch, _, _) = work else { return [] }
        return batch.map(\.id.tag)
    }

    /// Fault: what two threads put back runs in the order of its return.
    @Test func whatIsPutBackKeepsItsPlace() {
        var inbox = Inbox(limit: 1, kinds: oneKind)
        inbox.add((1...12).map { delivery($0) })
        let first = work(&inbox, 8)
        #expect(first == Array(1...8))
        var areTaken = [inbox.putBack([putBack(3), putBack(5)])]
        areTaken.append(inbox.putBack([putBack(2), putBack(4), putBack(8)]))
        let second = work(&inbox, 7)
        #expect(second == [2, 3, 4, 5, 8, 9, 10])
        areTaken.append(inbox.putBack([putBack(13)]))
        let third = work(&inbox, 8)
        #expect(third == [11, 12, 13])
        #expect(areTaken == [true, true, true])
    }

    /// Fault: a delivery of a channel that has gone is worked on, and settled on the next one.
    @Test func whatIsOfAnEarlierSessionIsNotTakenBackIn() {
        var inbox = Inbox(limit: 1, kinds: oneKind)
        inbox.add([putBack(1, session: 2)])
        let areTaken = [
            inbox.putBack([putBack(9, session: 1)]), inbox.putBack([putBack(9, session: 2)]),
        ]
        #expect(areTaken == [false, true])
        #expect(inbox.waiting[0] == 2)
    }
}
