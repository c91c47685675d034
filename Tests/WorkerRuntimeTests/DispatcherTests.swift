import Concurrency
import Dispatch
import Messaging
import Testing
import WorkerHealth

@testable import WorkerRuntime

struct DispatcherTests {
    @Test func everyOutcomeSettlesItsOwnDeliveryOnce() {
        let failure = Failure(code: "C", reason: "r")
        let handler = ScriptedHandler { deliveries in
            deliveries.map { delivery in
                switch delivery.id.tag % 4 {
                case 0: .done
                case 1: .interrupted
                case 2: .retry(failure)
                case _: .deadLetter(failure)
                }
            }
        }
        let bench = Bench(threads: 3, handler: handler)
        bench.dispatcher.submit((1...100).map { delivery($0) })
        bench.finish()
        let settled = bench.completions.drain()
        #expect(Set(settled.filter { $0.settlement == .ack }.map(\.id.tag)).count == 25)
        #expect(Set(settled.filter { $0.settlement == .requeue }.map(\.id.tag)).count == 25)
        #expect(settled.count == 50)
        let copies = bench.republisher.messages.withLock { $0 }
        #expect(copies.count { $0.queue == "q.retry.1" } == 25)
        #expect(copies.count { $0.queue == "q.dead" } == 25)
        let recorded = handler.recorded.withLock { $0 }
        #expect(recorded.count { $0.retryAfter == 1 } == 25)
        #expect(recorded.count { $0.retryAfter == nil } == 25)
        #expect(Set(copies.map(\.original.tag)).count == 50)
    }

    /// Fault: a message that waits for another transaction spends attempts, or goes round at full
    /// speed.
    @Test func whatIsPostponedGoesToADelayQueueWithoutAnAttempt() {
        let failure = Failure(code: "CONFLICT", reason: "r")
        let handler = ScriptedHandler { $0.map { _ in .postpone(failure, isBounded: true) } }
        let bench = Bench(threads: 1, handler: handler)
        bench.dispatcher.submit([delivery(1)])
        bench.finish()
        #expect(bench.completions.drain().isEmpty, "not before its copy is safe")
        let copies = bench.republisher.messages.withLock { $0 }
        #expect(copies.map(\.queue) == ["q.retry.1"])
        #expect(handler.recorded.withLock { $0 }.isEmpty)
    }

    /// Fault: what waits for another batch is settled, or waits behind the whole backlog.
    @Test func whatIsDeferredRunsWithTheNextBatch() {
        let entered = DispatchSemaphore(value: 0)
        let leave = DispatchSemaphore(value: 0)
        let batches = Locked<[[UInt64]]>([])
        let handler = ScriptedHandler(batchLimit: 3) { deliveries in
            batches.withLock { $0.append(deliveries.map(\.id.tag)) }
            entered.signal()
            leave.wait()
            return deliveries.map { $0.id.tag == 3 && $0.deferrals < 2 ? .deferred : .done }
        }
        let bench = Bench(threads: 1, handler: handler)
        bench.dispatcher.submit([delivery(1)])
        entered.wait()
        bench.dispatcher.submit((2...8).map { delivery($0) })
        for _ in 0..<9 { leave.signal() }
        bench.finish()
        #expect(batches.withLock { $0 } == [[1], [2, 3, 4], [3, 5, 6], [3, 7, 8]])
        #expect(bench.completions.drain().map(\.id.tag).sorted() == Array(1...8))
    }

    /// Fault: it stays in a worker whose channel has gone.
    @Test func whatIsDeferredAfterAllWasTakenBackGoesBackToo() {
        let entered = DispatchSemaphore(value: 0)
        let leave = DispatchSemaphore(value: 0)
        let handler = ScriptedHandler(batchLimit: 3) { deliveries in
            entered.signal()
            leave.wait()
            return deliveries.map { _ in .deferred }
        }
        let bench = Bench(threads: 1, handler: handler)
        bench.dispatcher.submit([delivery(1)])
        entered.wait()
        #expect(bench.dispatcher.withdraw().isEmpty)
        leave.signal()
        bench.finish()
        let settled = bench.completions.drain()
        #expect(settled.map(\.id.tag) == [1] && settled[0].settlement == .requeue)
    }

    /// Fault: a handler that always defers keeps a thread busy for ever.
    @Test func whatIsDeferredTooOftenGoesBackToTheQueue() {
        let tries = Locked(0)
        let handler = ScriptedHandler { deliveries in
            tries.withLock { $0 += 1 }
            return deliveries.map { _ in .deferred }
        }
        let bench = Bench(threads: 1, handler: handler)
        bench.dispatcher.submit([delivery(1)])
        bench.finish()
        #expect(bench.completions.drain().map(\.settlement) == [.requeue])
        #expect(tries.withLock { $0 } == 4)
    }

    @Test func aTypeWithoutHandlerIsDeadLettered() {
        let handler = ScriptedHandler { $0.map { _ in .done } }
        let bench = Bench(threads: 1, handler: handler)
        bench.dispatcher.submit([delivery(1, type: "strange"), delivery(2, type: "typed")])
        bench.finish()
        #expect(bench.completions.drain().map(\.id.tag) == [2])
        #expect(bench.republisher.messages.withLock { $0.map(\.queue) } == ["q.dead"])
    }

    /// A burst on idle threads is worked on side by side; a backlog behind busy threads in batches.
    @Test func batchesGrowUnderBacklogAndVanishAtLowLoad() {
        let entered = DispatchSemaphore(value: 0)
        let leave = DispatchSemaphore(value: 0)
        let handler = ScriptedHandler(batchLimit: 8) { deliveries in
            entered.signal()
            leave.wait()
            return deliveries.map { _ in .done }
        }
        let bench = Bench(threads: 2, handler: handler)
        bench.dispatcher.submit([delivery(1), delivery(2)])
        entered.wait()
        entered.wait()
        #expect(handler.sizes.withLock { $0 } == [1, 1])

        bench.dispatcher.submit((3...30).map { delivery($0) })
        leave.signal()
        entered.wait()
        #expect(handler.sizes.withLock { $0 } == [1, 1, 8])
        for _ in 0..<28 { leave.signal() }
        bench.finish()
        #expect(handler.sizes.withLock { $0.reduce(0, +) } == 30)
        #expect(bench.completions.drain().count == 30)
    }

    @Test func whatHasNotBegunCanBeTakenBack() {
        let entered = DispatchSemaphore(value: 0)
        let leave = DispatchSemaphore(value: 0)
        let handler = ScriptedHandler(batchLimit: 1) { deliveries in
            entered.signal()
            leave.wait()
            return deliveries.map { _ in .done }
        }
        let bench = Bench(threads: 1, handler: handler)
        bench.dispatcher.submit([delivery(1), delivery(2), delivery(3)])
        entered.wait()
        #expect(bench.dispatcher.withdraw().map(\.id.tag) == [2, 3])
        leave.signal()
        bench.finish()
        #expect(bench.completions.drain().map(\.id.tag) == [1])
    }
}
