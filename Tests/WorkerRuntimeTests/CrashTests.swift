import Concurrency
import Dispatch
import Foundation
import Messaging
import Testing

@testable import WorkerRuntime

struct CrashTests {
    @Test func whatComesTheFirstTimeIsNotWrittenDown() {
        let bench = Bench(threads: 1, handler: ScriptedHandler { $0.map { _ in .done } })
        bench.dispatcher.submit([delivery(1), delivery(2)])
        bench.finish()
        #expect(bench.crashes.calls.withLock { $0.isEmpty })
    }

    @Test func whatComesAgainIsWrittenDownWhileItRuns() {
        let bench = Bench(threads: 1, handler: ScriptedHandler { $0.map { _ in .done } })
        bench.dispatcher.submit([
            delivery(1, again: true), delivery(2, again: true), delivery(3),
        ])
        bench.finish()
        #expect(bench.crashes.calls.withLock { $0 } == [.take(2), .release])
        #expect(bench.completions.drain().count == 3)
    }

    /// Fault: a suspect that runs beside others takes them along, and its crash proves nothing.
    @Test func aSuspectRunsWithNothingBesideIt() {
        let running = Locked((now: 0, most: 0, besideSuspect: 0))
        let handler = ScriptedHandler(batchLimit: 4) { deliveries in
            running.withLock { running in
                running.now += 1
                running.most = max(running.most, running.now)
            }
            Thread.sleep(forTimeInterval: 0.002)
            running.withLock { running in
                if deliveries.contains(where: { $0.id.tag % 10 == 0 }) {
                    running.besideSuspect += running.now - 1 + deliveries.count - 1
                }
                running.now -= 1
            }
            return deliveries.map { _ in .done }
        }
        let bench = Bench(threads: 4, handler: handler)
        let suspects = stride(from: 10, through: 100, by: 10).map { delivery($0, again: true) }
        let keys = suspects.map { MessageKey($0.message) }
        bench.crashes.known.withLock { known in for key in keys { known[key] = 1 } }
        for tag in 1...100 as ClosedRange<UInt64> {
            bench.dispatcher.submit([delivery(tag, again: tag % 2 == 0)])
        }
        bench.finish()
        #expect(bench.completions.drain().count == 100)
        #expect(running.withLock { $0.besideSuspect } == 0)
        #expect(running.withLock { $0.most } > 1, "nothing ran side by side at all")
        let calls = bench.crashes.calls.withLock { $0 }
        for key in keys {
            let charge = calls.firstIndex(of: .charge(key))
            let acquit = calls.firstIndex(of: .acquit(key))
            #expect(charge != nil && acquit != nil && charge! < acquit!)
        }
    }

    /// Fault: a drain takes a suspect's thread away while the database is, and its charge stands:
    /// after three deploys it is a killer that never killed.
    @Test func aChargeThatCannotBeTakenBackIsNotHeldAgainstAnInterruptedMessage() {
        let bench = Bench(threads: 1, handler: ScriptedHandler { $0.map { _ in .interrupted } })
        let suspect = delivery(7, again: true)
        let key = MessageKey(suspect.message)
        bench.crashes.known.withLock { $0[key] = 1 }
        bench.dispatcher.submit([suspect])
        bench.finish()
        #expect(bench.crashes.known.withLock { $0[key] } == 1)
        #expect(bench.completions.drain().map(\.settlement) == [.requeue])

        let drained = Bench(threads: 1, handler: ScriptedHandler { $0.map { _ in .interrupted } })
        drained.crashes.known.withLock { $0[key] = 1 }
        drained.crashes.cannotAcquit.withLock { $0 = true }
        drained.dispatcher.submit([suspect])
        drained.finish()
        #expect(drained.completions.drain().isEmpty)
        let copies = drained.republisher.messages.withLock { $0 }
        #expect(copies.map(\.queue) == ["q"])
        #expect(MessageKey(RetryPolicy.acquitted(suspect.message)) != key)
    }

    @Test(arguments: [(2, false, 1, 0), (3, true, 0, 1), (6, true, 0, 0)])
    func onlyTooManyCrashesQuarantine(
        crashes: Int,
        isDead: Bool,
        runs: Int,
        records: Int
    ) {
        let handler = ScriptedHandler { $0.map { _ in .done } }
        let bench = Bench(threads: 2, handler: handler)
        let killer = delivery(7, again: true)
        bench.crashes.known.withLock { $0[MessageKey(killer.message)] = crashes }
        bench.dispatcher.submit([killer])
        bench.finish()
        #expect(bench.republisher.messages.withLock { $0.isEmpty } == !isDead)
        #expect(handler.sizes.withLock { $0.count } == runs)
        #expect(
            handler.recorded.withLock { $0.map(\.failure.code) }
                == Array(repeating: "WORKER_CRASHED", count: records)
        )
    }

    @Test func suspectsThatWaitCanBeTakenBack() {
        let entered = DispatchSemaphore(value: 0)
        let leave = DispatchSemaphore(value: 0)
        let handler = ScriptedHandler(batchLimit: 1) { deliveries in
            entered.signal()
            leave.wait()
            return deliveries.map { _ in .done }
        }
        let bench = Bench(threads: 2, handler: handler)
        let suspect = delivery(2, again: true)
        bench.crashes.known.withLock { $0[MessageKey(suspect.message)] = 0 }
        bench.dispatcher.submit([delivery(1)])
        entered.wait()
        bench.dispatcher.submit([suspect])
        while bench.crashes.calls.withLock({ !$0.contains(.release) }) { usleep(1000) }
        #expect(bench.dispatcher.withdraw().map(\.id.tag) == [2])
        leave.signal()
        bench.finish()
        #expect(bench.completions.drain().map(\.id.tag) == [1])
    }

    @Test func aKeyTellsBodiesTypesAndReplaysApart() {
        let message = delivery(1).message
        let keys = [
            MessageKey(message), MessageKey(delivery(2).message),
            MessageKey(delivery(1, type: "typed").message),
            MessageKey(RetryPolicy.replayed(message)),
        ]
        #expect(Set(keys).count == keys.count)
        // Other processes must come to the same.
        #expect(MessageKey(message).description == "1790ffac76cbbd2a")
    }
}
