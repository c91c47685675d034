import Testing

@testable import Messaging
@testable import WorkerRuntime

/// What the inbox does where a thread does not come back.
struct LostThreadTests {
    /// No batch can be of more than one.
    private let limits = [1, 1]

    private func inbox(_ count: Int) -> Inbox {
        let kinds = WorkKindIndex(types: [nil], priorities: [.normal, .normal])
        var inbox = Inbox(limit: 2, kinds: kinds)
        inbox.add((1...UInt64(count)).map { delivery($0) })
        return inbox
    }

    private func starts(_ inbox: inout Inbox) -> Int {
        inbox.operationsToStart(batchLimits: limits)
    }

    private func next(_ inbox: inout Inbox) -> Inbox.Work? { inbox.next(batchLimits: limits) }

    /// Fault: what a lost thread had in hand keeps its place for ever.
    @Test func whatIsGivenUpLeavesItsPlace() throws {
        var inbox = inbox(4)
        #expect(starts(&inbox) == 2)
        let works = (0..<2).compactMap { _ in next(&inbox) }
        guard works.count == 2, case .batch(let batch, let kind, _) = works[0] else {
            Issue.record("no batch")
            return
        }
        inbox.gaveUp(.batch(batch, kind: kind))
        #expect(inbox.load.busy == 1)
        #expect(starts(&inbox) == 1)
        #expect(next(&inbox) != nil)
        #expect(starts(&inbox) == 0)
    }

    /// Fault: a suspect that hangs keeps a worker from everything.
    @Test func aSuspectThatIsGivenUpIsAloneNoMore() throws {
        var inbox = inbox(2)
        let isAdded = inbox.add([.init(delivery: delivery(9), crashes: 1)])
        #expect(isAdded)
        #expect(starts(&inbox) == 2)
        guard case .alone(let suspect) = next(&inbox) else {
            Issue.record("no suspect")
            return
        }
        #expect(next(&inbox) == nil)
        #expect(starts(&inbox) == 0)
        inbox.gaveUp(.alone(suspect))
        #expect(starts(&inbox) == 2)
    }
}
