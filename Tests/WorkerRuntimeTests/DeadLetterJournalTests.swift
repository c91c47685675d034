import Concurrency
import Messaging
import Testing

@testable import WorkerRuntime

/// Keeps dead letters until the test lets them go.
private final class WithholdingJournal: DeadLetterJournal {
    let records = Locked<[DeadLetterRecord]>([])
    let gates = Locked<[@Sendable () -> Void]>([])

    func record(
        _ new: [DeadLetterRecord],
        then proceed: @escaping @Sendable () -> Void
    ) {
        records.withLock { $0 += new }
        gates.withLock { $0.append(proceed) }
    }

    /// Lets go of them as well: they hold the dispatcher, which holds this.
    func openGates() {
        let opened = gates.withLock { gates in
            defer { gates = [] }
            return gates
        }
        for gate in opened { gate() }
    }
}

struct DeadLetterJournalTests {
    /// Faults: a copy goes out before its row is written, and a crash leaves a dead letter without
    /// one; a retry waits for the rows of others; a body that is not to be looked at is.
    @Test func aDeadLetterWaitsForItsRowAndARetryDoesNot() {
        let failure = Failure(code: "C", reason: "r")
        let handler = ScriptedHandler { deliveries in
            deliveries.map { $0.id.tag == 1 ? .retry(failure) : .deadLetter(failure) }
        }
        let journal = WithholdingJournal()
        let bench = Bench(threads: 1, handler: handler, journal: journal)
        bench.dispatcher.submit([delivery(1), delivery(2)])
        bench.pool.waitUntilIdle()
        #expect(bench.republisher.messages.withLock { $0.map(\.queue) } == ["q.retry.1"])
        bench.dispatcher.refuse(delivery(3), because: failure)
        #expect(bench.republisher.messages.withLock { $0.count } == 1)
        journal.openGates()
        #expect(
            bench.republisher.messages.withLock { $0.map(\.queue) }
                == ["q.retry.1", "q.dead", "q.dead"]
        )
        let records = journal.records.withLock { $0 }
        #expect(records.map(\.isReadable) == [true, false])
        #expect(Set(records.compactMap(\.message.deadLetterID)).count == 2)
        bench.finish()
    }
}
