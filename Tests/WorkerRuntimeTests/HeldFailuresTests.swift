import Concurrency
import Dispatch
import Messaging
import Testing

@testable import WorkerRuntime

struct HeldFailuresTests {
    private static let failure = Failure(code: "C", reason: "r")
    private let kind = WorkKind(
        type: nil,
        handler: ScriptedHandler { $0.map { _ in .done } },
        retryPolicy: .test
    )

    private func ended(_ tag: UInt64) -> HeldFailures.Ended {
        let delivery = delivery(tag)
        var random = SystemRandomNumberGenerator()
        let next = RetryPolicy.test.disposition(
            of: delivery.message,
            after: Self.failure,
            isPermanent: true,
            at: .now,
            using: &random
        )
        return (.init(delivery: delivery, failure: Self.failure, retryAfter: nil), next)
    }

    private func tags(_ groups: [HeldFailures.Group]) -> [[UInt64]] {
        groups.map { $0.failed.map(\.0.delivery.id.tag) }
    }

    @Test func theyAreDueWhenTheThreadRestsOrTheFirstHasWaitedLong() {
        let now = ContinuousClock.now
        var held = HeldFailures()
        #expect(held.due(isResting: true, at: now).isEmpty)
        held.add([ended(1)], of: kind, at: now)
        held.add([ended(2)], of: kind, at: now + .milliseconds(240))
        #expect(held.due(isResting: false, at: now + .milliseconds(249)).isEmpty)
        #expect(tags(held.due(isResting: false, at: now + .milliseconds(250))) == [[1, 2]])
        held.add([ended(3)], of: kind, at: now + .milliseconds(251))
        #expect(held.due(isResting: false, at: now + .milliseconds(500)).isEmpty)
        #expect(tags(held.due(isResting: true, at: now + .milliseconds(500))) == [[3]])
        #expect(held.due(isResting: true, at: now + .seconds(9)).isEmpty)
    }

    /// Fault: they wait behind an outage, and once more for it, for longer than the broker waits
    /// for its messages.
    @Test func whatWaitedLongIsGivenBack() {
        let now = ContinuousClock.now
        var held = HeldFailures()
        #expect(!held.areStale(at: now))
        held.add([ended(1)], of: kind, at: now)
        #expect(!held.areStale(at: now + .seconds(29)) && held.areStale(at: now + .seconds(30)))
        let bench = Bench(threads: 1)
        bench.dispatcher.held.withLock { $0[0].add([ended(1)], of: kind, at: now - .seconds(31)) }
        bench.dispatcher.submit([delivery(2)])
        bench.finish()
        let settled = bench.completions.drain()
        #expect(settled.first { $0.id.tag == 1 }?.settlement == .requeue)
        #expect(settled.first { $0.id.tag == 2 }?.settlement == .ack)
    }

    /// Fault: what failed waits behind a call that takes minutes, or is lost with what kills the
    /// process.
    @Test func theyAreWrittenDownBeforeWhatMayLast() {
        let failing = ScriptedHandler { $0.map { _ in .done } }
        let seen = Locked<[Int]>([])
        let slow = ScriptedHandler(batchLimit: 1) { deliveries in
            seen.withLock { $0.append(failing.records.withLock(\.count)) }
            return deliveries.map { _ in .done }
        }
        let kinds = [
            WorkKind(type: nil, handler: failing, retryPolicy: .test),
            WorkKind(type: "slow", handler: slow, retryPolicy: .test),
        ]
        let bench = Bench(threads: 1, kinds: kinds)
        bench.dispatcher.held.withLock { held in
            held[0].patience = .seconds(3600)
            held[0].add([ended(1)], of: kinds[0])
        }
        bench.dispatcher.submit([delivery(2, type: "slow")])
        bench.finish()
        #expect(seen.withLock { $0 } == [1])
    }

    /// Fault: a thread that is to wait for its turn keeps them as long as the backlog lasts.
    @Test func aThreadThatMayNotGoOnWritesThemDown() {
        let (entered, first, others) = (
            DispatchSemaphore(value: 0), DispatchSemaphore(value: 0), DispatchSemaphore(value: 0)
        )
        let handler = ScriptedHandler(batchLimit: 2) { deliveries in
            entered.signal()
            let isFirst = deliveries[0].id.tag == 1
            (isFirst ? first : others).wait()
            return deliveries.map { _ in isFirst ? .retry(Self.failure) : .done }
        }
        let bench = Bench(threads: 2, handler: handler)
        bench.dispatcher.held.withLock { held in
            for slot in held.indices { held[slot].patience = .seconds(3600) }
        }
        bench.dispatcher.loop.inbox.withLock { $0.patience = .seconds(3600) }
        bench.dispatcher.submit([delivery(1), delivery(2)])
        for _ in 0..<2 { entered.wait() }
        bench.dispatcher.begin(paying: 1)
        bench.dispatcher.submit((3...20).map { delivery($0) })
        first.signal()
        #expect(handler.wasRecorded.wait(timeout: .now() + 20) == .success)
        for _ in 0..<20 { others.signal() }
        bench.finish()
    }

    /// Fault: they take all of a small prefetch count.
    @Test func manyDoNotWait() {
        let now = ContinuousClock.now
        var held = HeldFailures()
        held.add((1...63).map { ended($0) }, of: kind, at: now)
        #expect(held.due(isResting: false, at: now).isEmpty)
        held.add([ended(64)], of: kind, at: now)
        #expect(held.due(isResting: false, at: now).flatMap(\.failed).count == 64)
    }

    @Test func eachHandlerGetsItsOwn() {
        let other = WorkKind(type: "other", handler: kind.handler, retryPolicy: .test)
        var held = HeldFailures()
        held.add([ended(1)], of: kind)
        held.add([ended(2)], of: other)
        held.add([ended(3)], of: kind)
        let due = held.due(isResting: true)
        #expect(due.map(\.kind.type) == [nil, "other"])
        #expect(tags(due) == [[1, 3], [2]])
    }

    /// A thread that is at its first batch, and what waits for it.
    private struct Busy {
        let handler: ScriptedHandler
        let bench: Bench
        let leave = DispatchSemaphore(value: 0)

        init(batchLimit: Int, waiting: [Delivery]) {
            let (entered, leave) = (DispatchSemaphore(value: 0), leave)
            handler = ScriptedHandler(batchLimit: batchLimit) { deliveries in
                entered.signal()
                leave.wait()
                return deliveries.map { $0.id.tag % 2 == 0 ? .done : .retry(failure) }
            }
            bench = Bench(threads: 1, handler: handler)
            bench.dispatcher.held.withLock { $0[0].patience = .seconds(3600) }
            bench.dispatcher.submit([delivery(1)])
            entered.wait()
            bench.dispatcher.submit(waiting)
        }

        func finish(calls: Int) {
            for _ in 0..<calls { leave.signal() }
            bench.finish()
        }
    }

    /// Fault: what failed is written down while good deliveries wait.
    @Test func goodBatchesGoFirst() {
        let busy = Busy(batchLimit: 2, waiting: (2...7).map { delivery($0) })
        busy.finish(calls: 4)
        #expect(busy.handler.sizes.withLock { $0 } == [1, 2, 2, 2])
        #expect(busy.handler.records.withLock { $0 } == [4])
        #expect(
            busy.bench.republisher.messages.withLock { $0.map(\.original.tag) } == [1, 3, 5, 7]
        )
    }

    /// Fault: what waited behind it is taken back, no batch follows, and it is never settled.
    @Test func aDrainLeavesNoneBehind() {
        let busy = Busy(batchLimit: 2, waiting: [delivery(2)])
        #expect(busy.bench.dispatcher.withdraw().count == 1)
        busy.finish(calls: 1)
        #expect(busy.handler.records.withLock { $0 } == [1])
    }

    /// A handler that takes one at a time may take long for the next one; and what was delivered
    /// before may have killed a process.
    @Test(arguments: [(1, false), (2, true)]) func theseDoNotWait(batchLimit: Int, again: Bool) {
        let waiting = (2...5).map { delivery($0, again: again) }
        let busy = Busy(batchLimit: batchLimit, waiting: waiting)
        busy.finish(calls: 5)
        let records = busy.handler.records.withLock { $0 }
        #expect(records.count == 3)
    }
}
