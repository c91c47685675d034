import Foundation
import Messaging
import Testing
import WorkerHealth

@testable import Concurrency

struct WorkerCountsTests {
    /// Fault: what an operator sees of a worker is not what it did.
    @Test func everyOutcomeIsCountedOnce() {
        let handler = ScriptedHandler { deliveries in
            deliveries.map { delivery in
                let failure = Failure(code: "C", reason: "r", subject: "c\(delivery.id.tag)")
                switch delivery.id.tag {
                case 1, 2: return .done
                case 3: return .retry(failure)
                case 4: return .deadLetter(failure)
                case _: return .interrupted
                }
            }
        }
        let bench = Bench(threads: 1, handler: handler)
        bench.dispatcher.submit((1...7).map { delivery($0) })
        bench.dispatcher.refuse(delivery(8), because: Failure(code: "LARGE", reason: "r"))
        bench.finish()
        let snapshot = bench.counts.snapshot
        var expected = WorkerCounts.Totals()
        (expected.done, expected.retried, expected.dead, expected.interrupted) = (2, 1, 2, 3)
        #expect(snapshot.totals == expected)
        #expect(snapshot.totals.settled == 5)
        #expect(snapshot.busyThreads == 0)
        let failures = snapshot.failures.sorted { $0.code < $1.code }
        #expect(failures.map(\.code) == ["C", "C", "LARGE"])
        #expect(Set(failures.prefix(2).map(\.subject)) == ["c3", "c4"])
        #expect(failures.map(\.isDead).count { $0 } == 2)
    }

    @Test func aThreadIsBusyWhileItHasWork() {
        let counts = Locked<WorkerCounts?>(nil)
        let seen = Locked(0)
        let handler = ScriptedHandler { deliveries in
            seen.withLock { $0 = counts.withLock { $0?.snapshot.busyThreads ?? 0 } }
            return deliveries.map { _ in .done }
        }
        let bench = Bench(threads: 1, handler: handler)
        counts.withLock { $0 = bench.counts }
        bench.dispatcher.submit([delivery(1)])
        bench.finish()
        #expect(seen.withLock { $0 } == 1)
    }

    /// Fault: a queue of poison fills the memory with what it did.
    @Test func onlyTheLatestFailuresAreKept() {
        let counts = WorkerCounts()
        for number in 1...100 {
            counts.failed(Failure(code: "C\(number)", reason: "r"), attempts: 1, isDead: true)
        }
        #expect(counts.snapshot.failures.map(\.code) == (81...100).map { "C\($0)" })
        #expect(counts.snapshot.totals.dead == 100)
    }

    @Test func theFirstSessionIsNoReconnect() {
        let counts = WorkerCounts()
        counts.sessionOpened()
        counts.turned(hasArrivals: false, acked: [], inFlight: 3)
        #expect(counts.snapshot.totals.reconnects == 0 && counts.snapshot.inFlight == 3)
        #expect(counts.snapshot.lastDeliveryAt == nil)
        counts.sessionLost()
        #expect(counts.snapshot.inFlight == 0)
        counts.sessionOpened()
        counts.turned(hasArrivals: true, acked: [], inFlight: 1)
        #expect(counts.snapshot.totals.reconnects == 1 && counts.snapshot.lastDeliveryAt != nil)
    }
}
