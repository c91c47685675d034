import Testing

@testable import WorkerRuntime

/// What the inbox does while only a share of its threads may begin work.
struct HeldInboxTests {
    /// No batch can be of more than one.
    private let limits = [1, 1]

    /// With forty deliveries that wait, and its operations started.
    private func inbox(of limit: Int) -> Inbox {
        let kinds = WorkKindIndex(types: [nil], priorities: [.normal, .normal])
        var inbox = Inbox(limit: limit, kinds: kinds)
        inbox.add((1...40).map { delivery($0) })
        _ = inbox.operationsToStart(batchLimits: limits)
        return inbox
    }

    /// Fault: what holds threads down while memory is short is undone by the next window of the
    /// automatic number, or stays when memory is there again.
    @Test func aShareHoldsWhateverLimitIsAskedFor() {
        var inbox = inbox(of: 8)
        let works = (0..<8).compactMap { _ in inbox.next(batchLimits: limits) }
        inbox.hold(to: 0.25)
        #expect(inbox.isHeld && inbox.load.limit == 2)
        inbox.begin(limit: 8, paying: 8)
        #expect(inbox.load.limit == 2 && inbox.paying == 2)
        for work in works { inbox.finished(work, in: .zero) }
        let next = works.compactMap { _ in inbox.next(batchLimits: limits) }
        #expect(next.count == 2)
        inbox.hold(to: 0.01)
        #expect(inbox.load.limit == 1, "it goes on")
        inbox.hold(to: 1)
        #expect(!inbox.isHeld && inbox.load.limit == 8)
        let starts = inbox.operationsToStart(batchLimits: limits)
        #expect(starts == 6)
    }

    @Test func whatWasBegunUnderAnotherShareDoesNotCount() throws {
        var inbox = inbox(of: 2)
        let next = inbox.next(batchLimits: limits)
        let work = try #require(next)
        inbox.hold(to: 0.5)
        inbox.finished(work, in: .seconds(1))
        #expect(inbox.tally == .init())
    }
}
