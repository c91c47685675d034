import Messaging
import Testing

@testable import WorkerRuntime

/// Few threads that take what there is, and more of them for full batches.
struct InboxBatchTests {
    private let eight = [8, 1]

    private func size(_ work: Inbox.Work?) -> Int? {
        guard case .batch(let batch, _, _) = work else { return nil }
        return batch.count
    }

    /// Fault: ten threads take a message each as they arrive, and wait for each other's locks.
    @Test func onlyThreadsThatPayTakeBatchesAtOnce() {
        let now = ContinuousClock.now
        var inbox = Inbox(limit: 4)
        inbox.add(deliveries(9))
        var starts = inbox.operationsToStart(batchLimits: eight, at: now)
        #expect(starts == 2)
        let sizes = (0..<2).map { _ in size(inbox.next(batchLimits: eight, at: now)) }
        #expect(sizes == [5, 4], "a burst is shared")
        inbox.add(deliveries(15))
        starts = inbox.operationsToStart(batchLimits: eight, at: now)
        #expect(starts == 1)
        let rest = inbox.next(batchLimits: eight, at: now)
        guard case .later(let time) = rest else {
            Issue.record("\(rest as Any)")
            return
        }
        #expect(time == now + Inbox.glance)
        #expect(inbox.load.busy == 2)
        inbox.begin(limit: 4, paying: 3)
        starts = inbox.operationsToStart(batchLimits: eight, at: now)
        #expect(starts == 1)
        let third = inbox.next(batchLimits: eight, at: now)
        #expect(size(third) == 8)
        inbox.add(deliveries(1))
        starts = inbox.operationsToStart(batchLimits: eight, at: now)
        #expect(starts == 0, "all four are in use, one of them to wait")
    }

    /// Fault: work whose messages are done one by one, and wait for a service, is held back.
    @Test func messagesThatShareNoBatchTakeAllThreads() {
        var inbox = Inbox(limit: 4)
        inbox.add(deliveries(9))
        let starts = inbox.operationsToStart()
        #expect(starts == 4)
        let sizes = (0..<4).map { _ in size(inbox.next(batchLimits: [1, 1])) }
        #expect(sizes == [1, 1, 1, 1])
    }

    /// Fault: tasks that run for minutes take the place of the threads that score.
    @Test func batchesDoNotWaitForOtherWork() throws {
        let kinds = WorkKindIndex(types: [nil, "slow"], priorities: [.normal, .normal, .normal])
        var inbox = Inbox(limit: 8, kinds: kinds)
        inbox.add((0..<6).map { delivery($0, type: "slow") })
        _ = inbox.operationsToStart(batchLimits: [8, 1, 1])
        for _ in 0..<6 { _ = inbox.next(batchLimits: [8, 1, 1]) }
        inbox.add((6..<9).map { delivery($0, type: nil) })
        let starts = inbox.operationsToStart(batchLimits: [8, 1, 1])
        #expect(starts == 2)
        let sizes = (0..<2).map { _ in size(inbox.next(batchLimits: [8, 1, 1])) }
        #expect(sizes == [2, 1])
    }

    /// Fault: two threads wait for a lock, and what comes meanwhile waits with them.
    @Test func othersTakeThePlaceOfBatchesThatTakeLong() throws {
        let now = ContinuousClock.now
        var inbox = Inbox(limit: 4)
        inbox.add(deliveries(2))
        _ = inbox.operationsToStart(batchLimits: eight, at: now)
        _ = (0..<2).map { _ in inbox.next(batchLimits: eight, at: now) }
        inbox.add(deliveries(3))
        let starts = inbox.operationsToStart(batchLimits: eight, at: now)
        #expect(starts == 1)
        let next = inbox.next(batchLimits: eight, at: now)
        let waiting = try #require(next)
        inbox.finished(waiting, in: .zero)
        let late = (0..<2).map { _ in inbox.next(batchLimits: eight, at: now + .seconds(1)) }
        #expect(late.map(size) == [2, 1], "two in the place of those that wait")
    }

    /// Fault: under a backlog everything has waited for long, so all threads take what there is and
    /// wait for each other's locks with small batches.
    @Test func whatHasWaitedForLongStartsNoMoreThreadsThanPay() {
        let now = ContinuousClock.now
        var inbox = Inbox(limit: 4)
        inbox.add(
            deliveries(100).map {
                var old = $0
                old.receivedAt = now - .seconds(60)
                return old
            }
        )
        let starts = inbox.operationsToStart(batchLimits: eight, at: now)
        #expect(starts == 2)
        let sizes = (0..<3).map { _ in size(inbox.next(batchLimits: eight, at: now)) }
        #expect(sizes == [8, 8, nil])
        let moment = Inbox.patience - .milliseconds(1)
        let soon = inbox.next(batchLimits: eight, at: now + moment)
        #expect(soon == nil, "one waits already")
        let late = inbox.next(batchLimits: eight, at: now + Inbox.patience)
        #expect(size(late) == 8)
    }

    /// Fault: a thread that has failures to write down waits for a place as long as the backlog
    /// lasts, and they are written when it is over.
    @Test func aThreadThatHasWorkedEndsInsteadOfWaiting() {
        let now = ContinuousClock.now
        var inbox = Inbox(limit: 3)
        inbox.begin(limit: 3, paying: 3)
        inbox.add(deliveries(100))
        _ = inbox.operationsToStart(batchLimits: eight, at: now)
        let works = (0..<3).compactMap { _ in inbox.next(batchLimits: eight, at: now) }
        inbox.begin(limit: 3, paying: 2)
        inbox.finished(works[0], in: .zero)
        let next = inbox.next(batchLimits: eight, mayWait: false, at: now)
        #expect(next == nil)
        let starts = inbox.operationsToStart(batchLimits: eight, at: now)
        #expect(starts == 1, "another one waits in its stead")
        guard case .later = inbox.next(batchLimits: eight, at: now) else {
            Issue.record("it does not wait")
            return
        }
    }

    /// Fault: the operation that waits is not told of the work that another has taken.
    @Test func whereAllWasTakenMeanwhileTheWaitingOperationEnds() throws {
        let now = ContinuousClock.now
        var inbox = Inbox(limit: 3)
        inbox.add(deliveries(2))
        _ = inbox.operationsToStart(batchLimits: eight, at: now)
        let works = (0..<2).compactMap { _ in inbox.next(batchLimits: eight, at: now) }
        inbox.add(deliveries(3))
        _ = inbox.operationsToStart(batchLimits: eight, at: now)
        let next = inbox.next(batchLimits: eight, at: now)
        let waiting = try #require(next)
        inbox.finished(works[0], in: .zero)
        let taken = inbox.next(batchLimits: eight, at: now)
        #expect(size(taken) == 3)
        inbox.finished(waiting, in: .zero)
        let last = inbox.next(batchLimits: eight, at: now)
        #expect(last == nil)
        inbox.add(deliveries(1))
        let starts = inbox.operationsToStart(batchLimits: eight, at: now)
        #expect(starts == 1)
    }
}
