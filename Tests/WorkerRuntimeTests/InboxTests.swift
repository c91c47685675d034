import Foundation
import Messaging
import TestSupport
import Testing

@testable import Concurrency
@testable import WorkerRuntime

/// One kind of work, and messages of an unknown type.
let oneKind = WorkKindIndex(types: [nil], priorities: [.normal, .normal])

func deliveries(_ count: Int) -> [Delivery] {
    (0..<count).map { tag in
        Delivery(
            id: DeliveryID(session: 1, tag: UInt64(tag + 1)),
            message: Message(body: []),
            redelivered: false,
            receivedAt: .now
        )
    }
}

extension Inbox {
    init(limit: Int) { self.init(limit: limit, kinds: oneKind) }

    /// Where no batch can be of more than one.
    mutating func operationsToStart() -> Int { operationsToStart(batchLimits: [1, 1]) }

    mutating func take(batchLimits: [Int] = [1, 1]) throws -> Work {
        let work = next(batchLimits: batchLimits)
        return try #require(work)
    }

    /// What a single thread is given next, and has done at once.
    fileprivate mutating func work(batchLimits: [Int]) throws -> (kind: Int, tags: [UInt64]) {
        let work = try take(batchLimits: batchLimits)
        finished(work, in: .zero)
        guard case .batch(let batch, let kind, _) = work else { return (-1, []) }
        return (kind, batch.map(\.id.tag))
    }
}

struct InboxTests {
    @Test func aHigherLimitStartsOperationsForWhatWaits() {
        var inbox = Inbox(limit: 2)
        inbox.add(deliveries(10))
        var starts = inbox.operationsToStart()
        #expect(starts == 2)
        inbox.begin(limit: 5, paying: 5)
        starts = inbox.operationsToStart()
        #expect(starts == 3)
        inbox.begin(limit: 100, paying: 100)
        starts = inbox.operationsToStart()
        #expect(starts == 5, "one for each that waits")
    }

    /// Fault: one operation too many ends, and no operation is left for the deliveries that wait.
    @Test func underALowerLimitTheOperationsAboveItEnd() throws {
        var inbox = Inbox(limit: 5)
        inbox.add(deliveries(20))
        let starts = inbox.operationsToStart()
        #expect(starts == 5)
        let works = try (0..<5).map { _ in try inbox.take() }
        inbox.begin(limit: 2, paying: 2)
        var goOn = 0
        for work in works {
            inbox.finished(work, in: .seconds(1))
            let starts = inbox.operationsToStart()
            #expect(starts == 0)
            let next = inbox.next(batchLimits: [1, 1])
            if next != nil { goOn += 1 }
        }
        #expect(goOn == 2)
    }

    @Test func aSuspectStillRunsAloneWhenTheLimitSinks() throws {
        var inbox = Inbox(limit: 3)
        inbox.add(deliveries(3))
        var starts = inbox.operationsToStart()
        #expect(starts == 3)
        let works = try (0..<3).map { _ in try inbox.take() }
        _ = inbox.add([Inbox.Suspect(delivery: deliveries(1)[0], crashes: 1)])
        inbox.begin(limit: 1, paying: 1)
        for work in works.dropLast() {
            inbox.finished(work, in: .zero)
            let next = inbox.next(batchLimits: [1, 1])
            #expect(next == nil)
        }
        inbox.finished(works[2], in: .zero)
        guard case .alone = try inbox.take() else {
            Issue.record("the suspect did not run")
            return
        }
        inbox.add(deliveries(2))
        inbox.begin(limit: 3, paying: 3)
        starts = inbox.operationsToStart()
        #expect(starts == 0)
    }

    @Test func countsOnlyWhatWasTakenUnderABacklogAndThisLimit() throws {
        var inbox = Inbox(limit: 2)
        inbox.add(deliveries(4))
        _ = inbox.operationsToStart()
        var works = try (0..<2).map { _ in try inbox.take() }
        inbox.finished(works[0], in: .seconds(1))
        #expect(inbox.tally == .init(pieces: 1, messages: 1, busy: .seconds(1)))
        inbox.begin(limit: 3, paying: 3)
        inbox.finished(works[1], in: .seconds(1))
        #expect(inbox.tally == .init(), "begun under another limit")
        _ = inbox.operationsToStart()
        works = try (0..<2).map { _ in try inbox.take() }
        for work in works { inbox.finished(work, in: .seconds(1)) }
        #expect(inbox.tally == .init(), "nothing waited")
    }

    @Test func aBatchCutShortDoesNotCount() throws {
        let eight = [8, 1]
        var inbox = Inbox(limit: 2)
        inbox.add(deliveries(12))
        _ = inbox.operationsToStart()
        let first = try inbox.take(batchLimits: eight)
        inbox.finished(first, in: .seconds(1))
        #expect(inbox.tally == .init())
        inbox.add(deliveries(100))
        let second = try inbox.take(batchLimits: eight)
        inbox.finished(second, in: .seconds(1))
        #expect(inbox.tally == .init(pieces: 1, messages: 8, busy: .seconds(1)))
    }
}

/// Two kinds of work and more.
struct InboxLanesTests {
    private func inbox(_ priorities: WorkKind.Priority...) -> Inbox {
        let types = ["a", "b", "c"].prefix(priorities.count)
        let kinds = WorkKindIndex(types: Array(types), priorities: priorities + [.normal])
        return Inbox(limit: 1, kinds: kinds)
    }

    /// Fault: batches end where the kind changes, and two kinds that take turns are worked on one
    /// by one.
    @Test func kindsThatArriveInterleavedMakeFullBatches() throws {
        var inbox = inbox(.normal, .normal)
        inbox.add((1...32).map { delivery($0, type: $0 % 2 == 1 ? "a" : "b") })
        _ = inbox.operationsToStart()
        let batches = try (0..<3).map { _ in try inbox.work(batchLimits: [8, 16, 1]) }
        #expect(batches.map(\.kind) == [0, 1, 0])
        #expect(batches[0].tags == Array(stride(from: 1, through: 15, by: 2)))
        #expect(batches[1].tags == Array(stride(from: 2, through: 32, by: 2)))
        #expect(batches[2].tags == Array(stride(from: 17, through: 31, by: 2)))
    }

    /// Fault: what was delivered again makes those beside it pay for the crash ledger's look.
    @Test func redeliveredMessagesOfAKindAreBatchedApart() throws {
        var inbox = inbox(.normal)
        inbox.add((1...6).map { delivery($0, type: "a", again: (3...4).contains($0)) })
        _ = inbox.operationsToStart()
        let batches = try (0..<3).map { _ in try inbox.work(batchLimits: [8, 1]).tags }
        #expect(batches == [[1, 2], [3, 4], [5, 6]])
    }

    /// Faults: a higher priority that never ends keeps others from starting at all; or it waits for
    /// them more often than said.
    @Test func everyTenthStartIsForTheKindPassedOverLongest() throws {
        var inbox = inbox(.high, .low, .low)
        inbox.add((1...240).map { delivery($0, type: ["a", "b", "c"][Int($0) % 3]) })
        _ = inbox.operationsToStart()
        let kinds = try (0..<60).map { _ in try inbox.work(batchLimits: [1, 1, 1, 1]).kind }
        let twenty = Array(repeating: 0, count: 9) + [1] + Array(repeating: 0, count: 9) + [2]
        #expect(kinds == twenty + twenty + twenty)
    }

    /// Fault: a kind that has just come is taken for one that has waited since the start.
    @Test func aKindWaitsOnlySinceItCame() throws {
        var inbox = inbox(.high, .low, .low)
        inbox.add((1...30).map { delivery($0, type: "a") } + [delivery(31, type: "c")])
        _ = inbox.operationsToStart()
        for _ in 0..<8 { _ = try inbox.work(batchLimits: [1, 1, 1, 1]) }
        inbox.add([delivery(32, type: "b")])
        let next = try (0..<2).map { _ in try inbox.work(batchLimits: [1, 1, 1, 1]).kind }
        #expect(next == [0, 2])
    }

    /// Fault: what may kill a process is looked at by all.
    @Test func whatComesNextIsTheFirstOfItsKindThatCameForTheFirstTime() throws {
        var inbox = Inbox(limit: 1, kinds: WorkKindIndex(sources: [.normal, .normal]))
        var arrived = deliveries(6)
        arrived[2].redelivered = true
        arrived[3].source = 1
        for tag in arrived.indices { arrived[tag].message.body = [UInt8(tag)] }
        inbox.add(arrived)
        _ = try inbox.take()
        #expect(inbox.upcoming(of: 0, atMost: 3).map(\.body) == [[1], [4]])
        #expect(inbox.upcoming(of: 1, atMost: 3).map(\.body) == [[3]])
        #expect(inbox.waiting == [4, 1])
    }

    /// Fault: one thread makes ready what all take, and the others wait for it; or, while memory is
    /// short, the last thread that is left does.
    @Test func noMoreComesNextThanAThreadsShare() {
        var inbox = Inbox(limit: 4)
        inbox.add(deliveries(10))
        #expect(inbox.upcoming(of: 0, atMost: 9).count == 3)
        inbox.hold(to: 0.25)
        #expect(inbox.limit == 1)
        #expect(inbox.upcoming(of: 0, atMost: 9).count == 3)
    }

    @Test func whatIsTakenBackIsInOrderOfArrival() {
        var inbox = inbox(.low, .high)
        inbox.add((1...9).map { delivery($0, type: $0 % 2 == 0 ? "b" : "a") })
        inbox.add([delivery(10, type: "unknown")])
        #expect(inbox.withdraw().map(\.id.tag) == Array(1...10))
        #expect(inbox.load.waiting == 0)
    }
}

/// The inbox and the controller on a clock of their own.
private struct Drain {
    private var controller: ConcurrencyController
    private var inbox: Inbox
    private let handling: Duration
    /// What runs, by the time it ends.
    private var running: [(end: Duration, work: Inbox.Work)] = []
    private var now: Duration = .zero

    init(most: Int, handling: Duration) {
        controller = ConcurrencyController(most: most)
        inbox = Inbox(limit: controller.limit)
        self.handling = handling
    }

    /// - Returns: the time until `limit` threads were busy.
    mutating func time(untilBusy limit: Int) -> Duration {
        inbox.add(deliveries(2000))
        var begin: Duration = .zero
        start()
        while running.count < limit, now < .seconds(600) {
            now += .milliseconds(250)
            endOperations()
            let tally = inbox.tally
            guard tally.pieces >= controller.samplesWanted, begin + .seconds(1) <= now
            else { continue }
            controller.observe(LoadWindow(messages: tally.messages, busy: tally.busy))
            inbox.begin(limit: controller.limit, paying: controller.limit)
            begin = now
            start()
        }
        return now
    }

    private mutating func start() {
        for _ in 0..<inbox.operationsToStart() { take() }
    }

    private mutating func take() {
        if let work = inbox.next(batchLimits: [1, 1]) { running.append((now + handling, work)) }
    }

    private mutating func endOperations() {
        let ended = running.filter { $0.end <= now }
        running.removeAll { $0.end <= now }
        for (_, work) in ended {
            inbox.finished(work, in: handling)
            inbox.add(deliveries(1))
            start()
            take()
        }
    }
}

struct AutomaticConcurrencyTests {
    @Test func workThatWaitsFiveSecondsHas480ThreadsWithinHalfAMinute() {
        var drain = Drain(most: 480, handling: .seconds(5))
        #expect(drain.time(untilBusy: 480) <= .seconds(30))
    }

    /// The whole of it: a pool, a dispatcher, and a thread that measures.
    @Test func waitingWorkIsGivenMoreThreads() {
        let drain = DrainSignal()
        let running = Locked((now: 0, most: 0))
        let handler = Waiting { isBegin in
            running.withLock { running in
                running.now += isBegin ? 1 : -1
                running.most = max(running.most, running.now)
            }
        }
        let bench = Bench(threads: 64, handler: handler)
        let automatic = AutomaticConcurrency(
            of: bench.dispatcher,
            most: 64,
            shortestWindow: .milliseconds(40),
            drain: drain,
            logger: quiet
        )
        automatic.start()
        bench.dispatcher.submit(deliveries(4))
        bench.pool.waitUntilIdle()
        #expect(running.withLock { $0.most } <= 4)
        let deadline = ContinuousClock.now + .seconds(20)
        while running.withLock({ $0.most }) < 64, .now < deadline {
            bench.dispatcher.submit(deliveries(500))
            usleep(20_000)
        }
        #expect(running.withLock { $0.most } == 64)
        drain.raise()
        _ = bench.dispatcher.withdraw()
        bench.finish()
    }
}

private struct Waiting: Handler {
    let batchLimit = 1
    let note: @Sendable (_ isBegin: Bool) -> Void

    func handle(_ deliveries: [Delivery], in context: HandlerContext) -> [Outcome] {
        note(true)
        usleep(20_000)
        note(false)
        return deliveries.map { _ in .done }
    }
    func record(_ failed: [FailedDelivery], in context: HandlerContext) {}
}
