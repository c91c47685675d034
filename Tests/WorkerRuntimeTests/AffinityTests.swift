import Concurrency
import Dispatch
import Messaging
import TestSupport
import Testing

@testable import WorkerRuntime

/// Batches that are likely to lock the same row do not run side by side.
struct AffinityTests {
    private let eight = [8, 1]

    private func delivery(_ tag: UInt64, _ affinity: Int?, again: Bool = false) -> Delivery {
        var delivery = WorkerRuntimeTests.delivery(tag, again: again)
        delivery.affinity = affinity
        return delivery
    }

    private func tags(_ work: Inbox.Work?) -> [UInt64]? {
        guard case .batch(let batch, _, _) = work else { return nil }
        return batch.map(\.id.tag)
    }

    private func inboxWhereOneRunsAndItsLikeWaits(
        threads: Int,
        at now: ContinuousClock.Instant
    ) -> Inbox {
        var inbox = Inbox(limit: threads)
        inbox.add([delivery(1, 7)])
        _ = inbox.operationsToStart(batchLimits: eight, at: now)
        _ = inbox.next(batchLimits: eight, at: now)
        inbox.add([delivery(2, 7)])
        return inbox
    }

    /// Faults: a batch waits for the locks of another one; or what it leaves loses its place.
    @Test func aBatchLeavesWhatIsLikeThatInAnother() throws {
        let now = ContinuousClock.now
        var inbox = Inbox(limit: 2)
        inbox.add([delivery(1, 7), delivery(2, 8)])
        _ = inbox.operationsToStart(batchLimits: [2, 1], at: now)
        inbox.begin(limit: 2, paying: 2)
        let first = try inbox.take(batchLimits: [1, 1])
        inbox.finished(first, in: .zero)
        inbox.add([3, 4, 5, 6].map { delivery($0, $0 % 2 == 0 ? 8 : nil) })
        let second = inbox.next(batchLimits: [2, 1], at: now)
        #expect(tags(second) == [2, 3])
        inbox.add([delivery(7, 9), delivery(8, 9)])
        let third = inbox.next(batchLimits: eight, at: now)
        #expect(tags(third) == [5, 7, 8])
        let none = inbox.next(batchLimits: eight, mayWait: false, at: now)
        #expect(none == nil)
        inbox.finished(try #require(second), in: .zero)
        _ = inbox.operationsToStart(batchLimits: eight, at: now)
        let fourth = inbox.next(batchLimits: eight, at: now)
        #expect(tags(fourth) == [4, 6])
    }

    /// Fault: what is like that in a batch which waits for a lock waits as long.
    @Test func aBatchThatTakesLongHoldsUpNoOther() throws {
        let now = ContinuousClock.now
        var inbox = inboxWhereOneRunsAndItsLikeWaits(threads: 3, at: now)
        let starts = inbox.operationsToStart(batchLimits: eight, at: now)
        #expect(starts == 1, "one to see that it does not wait for too long")
        let next = inbox.next(batchLimits: eight, at: now)
        let waiting = try #require(next)
        guard case .later(let time) = waiting else {
            Issue.record("\(waiting)")
            return
        }
        #expect(time == now + Inbox.glance)
        inbox.finished(waiting, in: .zero)
        let late = inbox.next(batchLimits: eight, at: now + Inbox.patience)
        #expect(tags(late) == [2])
    }

    /// Fault: the last thread sleeps beside what waits for its like, and what could begin waits.
    @Test func theLastThreadDoesNotWatch() {
        let now = ContinuousClock.now
        var inbox = inboxWhereOneRunsAndItsLikeWaits(threads: 2, at: now)
        var starts = inbox.operationsToStart(batchLimits: eight, at: now)
        #expect(starts == 0)
        inbox.add([delivery(3, 8)])
        starts = inbox.operationsToStart(batchLimits: eight, at: now)
        #expect(starts == 1)
        let next = inbox.next(batchLimits: eight, at: now)
        #expect(tags(next) == [3])
    }

    /// Faults: a worker whose conversations are of few users takes more and more threads, because
    /// one batch at a time counts for all of them; or what is shared out is a part of what waits
    /// for others.
    @Test func whatWaitsForItsLikeIsNoBacklog() throws {
        let now = ContinuousClock.now
        var inbox = Inbox(limit: 4)
        inbox.begin(limit: 4, paying: 4)
        inbox.add((1...100).map { delivery($0, 7) } + [delivery(101, 8), delivery(102, 9)])
        _ = inbox.operationsToStart(batchLimits: eight, at: now)
        let first = try inbox.take(batchLimits: eight)
        #expect(tags(first)?.count == 8)
        inbox.finished(first, in: .milliseconds(1))
        #expect(inbox.tally == Inbox.Tally())
        _ = try inbox.take(batchLimits: eight)
        let second = inbox.next(batchLimits: eight, at: now)
        #expect(tags(second) == [101], "one for each of the threads that are free")
    }

    /// Fault: while a suspect waits for a thread that is busy, others begin and end without pause.
    @Test func aSuspectThatWaitsStartsNothing() throws {
        var inbox = Inbox(limit: 3)
        inbox.add([delivery(1, nil)])
        _ = inbox.operationsToStart()
        let work = try inbox.take()
        _ = inbox.add([Inbox.Suspect(delivery: delivery(2, nil), crashes: 1)])
        inbox.add([delivery(3, nil)])
        var starts = inbox.operationsToStart()
        #expect(starts == 0)
        inbox.finished(work, in: .zero)
        let next = inbox.next(batchLimits: [1, 1])
        guard case .alone = next else {
            Issue.record("\(next as Any)")
            return
        }
        inbox.finished(try #require(next), in: .zero)
        starts = inbox.operationsToStart()
        #expect(starts == 0, "the thread that ran it looks on")
    }

    /// Fault: messages that wait for a service each, on a thread of its own, wait for one another.
    @Test func whatSharesNoBatchWaitsForNoOther() {
        var inbox = Inbox(limit: 4)
        inbox.add((1...4).map { delivery($0, 7) })
        let starts = inbox.operationsToStart()
        #expect(starts == 4)
        let works = (0..<4).map { _ in inbox.next(batchLimits: [1, 1]) }
        #expect(works.map(tags) == [[1], [2], [3], [4]])
    }

    /// Fault: a batch of one, because what waits is shared out, runs beside its like.
    @Test func aBatchOfOneLeavesThemToo() {
        let now = ContinuousClock.now
        var inbox = Inbox(limit: 2)
        inbox.add([delivery(1, 7), delivery(2, 7)])
        _ = inbox.operationsToStart(batchLimits: eight, at: now)
        let works = (0..<2).map { _ in inbox.next(batchLimits: eight, at: now) }
        #expect(works.map(tags) == [[1], nil])
    }

    /// Faults: two batches that run are alike; something waits for ever; those that are alike
    /// overtake one another.
    @Test(arguments: 0..<40)
    func inAnyOrderAllRunsAndNothingBesideItsLike(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let now = ContinuousClock.now
        var inbox = Inbox(limit: 6)
        inbox.begin(limit: 6, paying: Int.random(in: 1...4, using: &random))
        let likes = Int.random(in: 1...30, using: &random)
        var (added, done): (UInt64, [Delivery]) = (0, [])
        var running: [(work: Inbox.Work, batch: [Delivery])] = []
        var operations = 0
        while done.count < 200 {
            if added < 200, Int.random(in: 0..<3, using: &random) == 0 {
                let count = min(UInt64.random(in: 1...20, using: &random), 200 - added)
                inbox.add(
                    (0..<count).map {
                        let affinity = Int.random(in: 0...likes, using: &random)
                        return delivery(added + $0 + 1, affinity == 0 ? nil : affinity)
                    }
                )
                added += count
            } else if operations > 0 {
                operations -= 1
                if let work = inbox.next(batchLimits: eight, at: now) {
                    var batch: [Delivery] = []
                    if case .batch(let deliveries, _, _) = work { batch = deliveries }
                    let taken = Set(batch.compactMap(\.affinity))
                    let others = Set(running.flatMap(\.batch).compactMap(\.affinity))
                    #expect(taken.isDisjoint(with: others))
                    running.append((work, batch))
                }
            } else if !running.isEmpty {
                let index = Int.random(in: 0..<running.count, using: &random)
                let (work, batch) = running.remove(at: index)
                inbox.finished(work, in: .zero)
                done += batch
                operations += 1
            } else if added == 200 {
                Issue.record("\(inbox.load.waiting) wait, and no operation comes for them")
                return
            }
            operations += inbox.operationsToStart(batchLimits: eight, at: now)
        }
        let byAffinity = Dictionary(grouping: done, by: \.affinity)
        for (affinity, alike) in byAffinity where affinity != nil {
            #expect(alike.map(\.id.tag) == alike.map(\.id.tag).sorted())
        }
    }

    /// Fault: what the handler knows of a message does not come to where batches are made.
    @Test func aHandlerSaysWhatIsAlike() {
        let entered = DispatchSemaphore(value: 0)
        let leave = DispatchSemaphore(value: 0)
        let batches = Locked<[[UInt64]]>([])
        let handler = ScriptedHandler(batchLimit: 4, affinity: { Int($0.body[0] % 5) }) {
            deliveries in
            batches.withLock { $0.append(deliveries.map(\.id.tag)) }
            entered.signal()
            if deliveries[0].id.tag == 5 { leave.wait() }
            return deliveries.map { _ in .done }
        }
        let bench = Bench(threads: 4, handler: handler)
        bench.dispatcher.loop.inbox.withLock { $0.patience = .seconds(3600) }
        bench.dispatcher.submit([WorkerRuntimeTests.delivery(5)])
        entered.wait()
        bench.dispatcher.submit([10, 6].map { WorkerRuntimeTests.delivery($0) })
        entered.wait()
        #expect(batches.withLock { $0 } == [[5], [6]])
        leave.signal()
        bench.finish()
        #expect(batches.withLock { $0 } == [[5], [6], [10]])
    }
}

struct WorkloadTests {
    /// Faults: batches that overtake one another cost a frame for each message; or a thread waits
    /// for messages that the broker does not send, because held acks take their place.
    @Test func ofBatchesAThirdOfThePrefetchIsHeld() {
        func spare(waiting: Int, areBatches: Bool) -> Int {
            Workload(busy: 1, limit: 4, waiting: waiting, areBatches: areBatches)
                .acksToSpare(of: 90)
        }
        #expect(spare(waiting: 0, areBatches: false) == 0)
        #expect(spare(waiting: 3, areBatches: false) == 3)
        #expect(spare(waiting: 3, areBatches: true) == 30)
        #expect(spare(waiting: 50, areBatches: true) == 50)
    }

    @Test func theInboxKnowsWhetherBatchesRun() throws {
        var inbox = Inbox(limit: 2)
        #expect(!inbox.load.areBatches)
        inbox.add(deliveries(9))
        _ = inbox.operationsToStart(batchLimits: [8, 1])
        let first = try inbox.take(batchLimits: [8, 1])
        #expect(inbox.load.areBatches)
        inbox.finished(first, in: .zero)
        #expect(!inbox.load.areBatches)
    }
}
