import Messaging
import Testing

@testable import WorkerRuntime

/// Threads that are kept for what is urgent.
struct KeptThreadTests {
    private func inbox(limit: Int) -> Inbox {
        let kinds = WorkKindIndex(types: ["urgent", "low"], priorities: [.high, .low, .normal])
        return Inbox(limit: limit, kinds: kinds, keepsThreads: true)
    }

    private let ones = [1, 1, 1]

    private func fill(_ inbox: inout Inbox, at now: ContinuousClock.Instant = .now) -> [Inbox.Work]
    {
        let starts = inbox.operationsToStart(batchLimits: ones, at: now)
        return (0..<starts).compactMap { _ in inbox.next(batchLimits: ones, at: now) }
    }

    /// Faults: what is urgent waits for the end of what is not, though more of it has come just
    /// before; a thread is woken all the time for what it may not begin.
    @Test(arguments: [(4, 1), (10, 1), (19, 1), (20, 2), (3, 0)])
    func oneInTenIsKeptWhileUrgentWorkComes(limit: Int, kept: Int) throws {
        var inbox = inbox(limit: limit)
        inbox.add([delivery(1, type: "urgent")])
        let urgent = try #require(fill(&inbox).first)
        inbox.finished(urgent, in: .zero)
        _ = inbox.next(batchLimits: ones)
        inbox.add((2...40).map { delivery($0, type: "low") })
        #expect(fill(&inbox).count == limit - kept)
        #expect(inbox.operationsToStart(batchLimits: ones) == 0)
        inbox.add((41...80).map { delivery($0, type: "urgent") })
        #expect(fill(&inbox).count == kept)
    }

    /// Fault: the thread that was kept goes on with what is not urgent.
    @Test func whatIsUrgentLeavesItsThreadFree() throws {
        var inbox = inbox(limit: 4)
        inbox.add((1...9).map { delivery($0, type: $0 == 1 ? "urgent" : "low") })
        let running = fill(&inbox)
        #expect(running.count == 4)
        inbox.finished(running[0], in: .zero)
        let next = inbox.next(batchLimits: ones)
        #expect(next == nil && inbox.load.busy == 3)
        inbox.finished(running[1], in: .zero)
        guard case .batch(_, kind: 1, _) = inbox.next(batchLimits: ones) else {
            Issue.record("its thread does not go on")
            return
        }
    }

    /// Fault: what is not urgent waits for ever beside a thread that does nothing.
    @Test func aThreadIsKeptOnlyForAWhile() throws {
        var inbox = inbox(limit: 4)
        inbox.add([delivery(1, type: "urgent")])
        let urgent = try #require(fill(&inbox).first)
        inbox.finished(urgent, in: .zero)
        _ = inbox.next(batchLimits: ones)
        inbox.add((2...40).map { delivery($0, type: "low") })
        #expect(fill(&inbox).count == 3)
        let later = ContinuousClock.now + Inbox.urgency
        #expect(fill(&inbox, at: later).count == 1)
    }

    /// Fault: what waits for a kept thread stays here as long as urgent work comes, though a
    /// worker elsewhere has nothing to do.
    @Test func whatWaitsBesideAKeptThreadGoesBack() throws {
        var inbox = inbox(limit: 4)
        let begin = ContinuousClock.now
        inbox.add([delivery(1, type: "urgent")] + (2...9).map { delivery($0, type: "low") })
        let running = fill(&inbox)
        #expect(running.count == 4 && !inbox.mayStart)
        inbox.finished(running[0], in: .zero)
        var next = inbox.next(batchLimits: ones)
        #expect(next == nil && !inbox.mayStart)
        #expect(inbox.overdue(since: begin).isEmpty, "some have just begun")
        inbox.add([delivery(10, type: "urgent"), delivery(11, type: "urgent")])
        let later = ContinuousClock.now + .seconds(60)
        let starts = inbox.operationsToStart(batchLimits: ones, at: later)
        next = inbox.next(batchLimits: ones, at: later)
        guard starts == 1, case .batch(_, kind: 0, _) = next else {
            Issue.record("nothing urgent has begun")
            return
        }
        let back = inbox.overdue(since: .now + .seconds(1)).map(\.id.tag)
        #expect(back == [5, 6, 7, 8, 9])
        #expect(inbox.load.waiting == 1, "what is urgent stays")
    }

    /// Fault: conversations wait beside a thread that is kept, and nothing wakes it.
    @Test func onlyAnOwnerThatAsksForItKeepsThreads() throws {
        let kinds = WorkKindIndex(types: ["urgent", "low"], priorities: [.high, .low, .normal])
        var inbox = Inbox(limit: 4, kinds: kinds)
        inbox.add((1...9).map { delivery($0, type: $0 == 1 ? "urgent" : "low") })
        let running = fill(&inbox)
        inbox.finished(running[0], in: .zero)
        let next = inbox.next(batchLimits: ones)
        #expect(running.count == 4 && next != nil)
    }

    /// Fault: urgent work without end takes all threads, and nothing else begins.
    @Test func urgentWorkHasAllThreadsButTheTenthStart() throws {
        var inbox = inbox(limit: 4)
        inbox.add((1...100).map { delivery($0, type: $0 % 2 == 0 ? "low" : "urgent") })
        var running = fill(&inbox)
        #expect(running.count == 4)
        var kinds: [Int] = []
        for _ in 0..<40 {
            let work = running.removeFirst()
            inbox.finished(work, in: .zero)
            let next = try inbox.take(batchLimits: ones)
            if case .batch(_, let kind, _) = next { kinds.append(kind) }
            running.append(next)
        }
        #expect(kinds.count { $0 == 1 } == 4)
    }
}
