import Foundation
import Testing

@testable import WorkerRuntime

private struct Idle: Handler {
    var batchLimit: Int
    func handle(_ deliveries: [Delivery], in context: HandlerContext) -> [Outcome] {
        deliveries.map { _ in .done }
    }
    func record(_ failed: [FailedDelivery], in context: HandlerContext) {}
}

private func deliveries(_ count: Int) -> [Delivery] {
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
    fileprivate mutating func take(_ handlers: HandlerRegistry) throws -> Work {
        let work = next(handlers)
        return try #require(work)
    }
}

struct InboxTests {
    private let handlers = HandlerRegistry(untyped: Idle(batchLimit: 1), byType: [:])

    @Test func aHigherLimitStartsOperationsForWhatWaits() {
        var inbox = Inbox(limit: 2)
        inbox.add(deliveries(10))
        var starts = inbox.operationsToStart()
        #expect(starts == 2)
        inbox.begin(limit: 5)
        starts = inbox.operationsToStart()
        #expect(starts == 3)
        inbox.begin(limit: 100)
        starts = inbox.operationsToStart()
        #expect(starts == 10)
    }

    /// Fault: one operation too many ends, and what waits has nobody.
    @Test func underALowerLimitTheOperationsAboveItEnd() throws {
        var inbox = Inbox(limit: 5)
        inbox.add(deliveries(20))
        let starts = inbox.operationsToStart()
        #expect(starts == 5)
        let works = try (0..<5).map { _ in try inbox.take(handlers) }
        inbox.begin(limit: 2)
        var goOn = 0
        for work in works {
            inbox.finished(work, in: .seconds(1))
            let starts = inbox.operationsToStart()
            #expect(starts == 0)
            let next = inbox.next(handlers)
            if next != nil { goOn += 1 }
        }
        #expect(goOn == 2)
    }

    @Test func aSuspectStillRunsAloneWhenTheLimitSinks() throws {
        var inbox = Inbox(limit: 3)
        inbox.add(deliveries(3))
        var starts = inbox.operationsToStart()
        #expect(starts == 3)
        let works = try (0..<3).map { _ in try inbox.take(handlers) }
        _ = inbox.add([Inbox.Suspect(delivery: deliveries(1)[0], crashes: 1)])
        inbox.begin(limit: 1)
        for work in works.dropLast() {
            inbox.finished(work, in: .zero)
            let next = inbox.next(handlers)
            #expect(next == nil)
        }
        inbox.finished(works[2], in: .zero)
        guard case .alone = try inbox.take(handlers) else {
            Issue.record("the suspect did not run")
            return
        }
        inbox.add(deliveries(2))
        inbox.begin(limit: 3)
        starts = inbox.operationsToStart()
        #expect(starts == 0)
    }

    @Test func countsOnlyWhatWasTakenUnderABacklogAndThisLimit() throws {
        var inbox = Inbox(limit: 2)
        inbox.add(deliveries(4))
        _ = inbox.operationsToStart()
        var works = try (0..<2).map { _ in try inbox.take(handlers) }
        inbox.finished(works[0], in: .seconds(1))
        #expect(inbox.tally == .init(pieces: 1, messages: 1, busy: .seconds(1)))
        inbox.begin(limit: 3)
        inbox.finished(works[1], in: .seconds(1))
        #expect(inbox.tally == .init(), "begun under another limit")
        _ = inbox.operationsToStart()
        works = try (0..<2).map { _ in try inbox.take(handlers) }
        for work in works { inbox.finished(work, in: .seconds(1)) }
        #expect(inbox.tally == .init(), "nothing waited")
    }

    @Test func aBatchCutShortDoesNotCount() throws {
        let handlers = HandlerRegistry(untyped: Idle(batchLimit: 8), byType: [:])
        var inbox = Inbox(limit: 4)
        inbox.add(deliveries(12))
        _ = inbox.operationsToStart()
        let first = try inbox.take(handlers)
        inbox.finished(first, in: .seconds(1))
        #expect(inbox.tally == .init())
        inbox.add(deliveries(100))
        let second = try inbox.take(handlers)
        inbox.finished(second, in: .seconds(1))
        #expect(inbox.tally == .init(pieces: 1, messages: 8, busy: .seconds(1)))
    }
}

/// The inbox and the controller on a clock of their own.
private struct Drain {
    private var controller: ConcurrencyController
    private var inbox: Inbox
    private let handlers = HandlerRegistry(untyped: Idle(batchLimit: 1), byType: [:])
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
            inbox.begin(limit: controller.limit)
            begin = now
            start()
        }
        return now
    }

    private mutating func start() {
        for _ in 0..<inbox.operationsToStart() { take() }
    }

    private mutating func take() {
        if let work = inbox.next(handlers) { running.append((now + handling, work)) }
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
