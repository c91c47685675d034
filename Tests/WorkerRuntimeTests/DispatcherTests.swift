import Dispatch
import Foundation
import Logging
import Messaging
import Synchronization
import Testing
import WorkerHealth

@testable import Concurrency
@testable import WorkerRuntime

/// Counts rings, so that a test sees whether a wake-up was lost or wasted.
final class CountingBell: Bell {
    let rings = Atomic(0)
    let posted = DispatchSemaphore(value: 0)
    /// What happens at the moment the reader silences the bell.
    let onSilence = Locked<(@Sendable () -> Void)?>(nil)

    func ring() {
        rings.add(1, ordering: .sequentiallyConsistent)
        posted.signal()
    }

    func silence() {
        onSilence.withLock { $0 }?()
    }
}

final class RecordingRepublisher: Republisher {
    let messages = Locked<[(queue: String, original: DeliveryID)]>([])

    func republish(
        _ message: Message,
        about subject: String?,
        to queue: String,
        replacing original: DeliveryID
    ) {
        messages.withLock { $0.append((queue, original)) }
    }
}

/// Does what the test says, and remembers the sizes of its batches.
final class ScriptedHandler: Handler {
    let batchLimit: Int
    let sizes = Locked<[Int]>([])
    let recorded = Locked<[FailedDelivery]>([])
    private let body: @Sendable ([Delivery]) -> [Outcome]

    init(batchLimit: Int = 32, _ body: @escaping @Sendable ([Delivery]) -> [Outcome]) {
        self.batchLimit = batchLimit
        self.body = body
    }

    func handle(_ deliveries: [Delivery], in context: HandlerContext) -> [Outcome] {
        sizes.withLock { $0.append(deliveries.count) }
        return body(deliveries)
    }

    func record(_ failed: [FailedDelivery], in context: HandlerContext) {
        recorded.withLock { $0 += failed }
    }
}

/// Knows what the test says, and remembers what it was told.
final class ScriptedLedger: CrashLedger {
    enum Call: Equatable { case take(Int), release, charge(MessageKey), acquit(MessageKey) }

    let calls = Locked<[Call]>([])
    let known = Locked<[MessageKey: Int]>([:])
    let cannotAcquit = Locked(false)

    func take(_ keys: [MessageKey], in context: HandlerContext) -> [CrashRecord]? {
        calls.withLock { $0.append(.take(keys.count)) }
        return known.withLock { known in
            keys.map { key in known[key].map { .suspect(crashes: $0) } ?? .clear }
        }
    }

    func release(in context: HandlerContext) { calls.withLock { $0.append(.release) } }

    func charge(_ key: MessageKey, crashes: Int, in context: HandlerContext) -> Bool {
        calls.withLock { $0.append(.charge(key)) }
        known.withLock { $0[key] = crashes }
        return true
    }

    func acquit(_ key: MessageKey, crashes: Int, in context: HandlerContext) -> Bool {
        calls.withLock { $0.append(.acquit(key)) }
        if cannotAcquit.withLock({ $0 }) { return false }
        known.withLock { $0[key] = crashes }
        return true
    }
}

let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

extension RetryPolicy {
    static let test = RetryPolicy(
        names: QueueNames(main: "q"),
        maxAttempts: 2,
        maxCrashes: 3,
        backoffSeconds: [1],
        worker: "w"
    )
}

/// A dispatcher with its pool, and what stands in for the rest of a worker.
struct Bench {
    let bell = CountingBell()
    let republisher = RecordingRepublisher()
    let crashes = ScriptedLedger()
    let counts = WorkerCounts()
    let completions: Mailbox<Completion>
    let pool: ThreadPool
    let dispatcher: Dispatcher

    init(
        threads: Int,
        handler: any Handler = ScriptedHandler { $0.map { _ in .done } },
        kinds: [WorkKind]? = nil,
        journal: any DeadLetterJournal = NoJournal(),
        metrics: WorkerMetrics = WorkerMetrics()
    ) {
        completions = Mailbox(bell: bell)
        pool = ThreadPool(count: threads, name: "test")
        dispatcher = Dispatcher(
            pool: pool,
            kinds: kinds
                ?? [
                    WorkKind(type: nil, handler: handler, retryPolicy: .test),
                    WorkKind(type: "typed", handler: handler, retryPolicy: .test),
                ],
            unknown: .test,
            crashes: crashes,
            completions: completions,
            republisher: republisher,
            journal: journal,
            drain: DrainSignal(),
            counts: counts,
            metrics: metrics,
            logger: quiet
        )
    }

    func finish() {
        pool.waitUntilIdle()
        pool.close()
    }
}

func delivery(_ tag: UInt64, type: String? = nil, again: Bool = false) -> Delivery {
    var properties = MessageProperties()
    properties.type = type
    return Delivery(
        id: DeliveryID(session: 1, tag: tag),
        message: Message(properties: properties, body: [UInt8(tag)]),
        redelivered: again,
        receivedAt: .now
    )
}

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

struct MailboxTests {
    @Test func aBurstRingsOnce() {
        let bell = CountingBell()
        let mailbox = Mailbox<Int>(bell: bell)
        for number in 0..<10 { mailbox.post(number) }
        #expect(bell.rings.load(ordering: .relaxed) == 1)
        #expect(mailbox.drain() == Array(0..<10))
        mailbox.post([])
        #expect(bell.rings.load(ordering: .relaxed) == 1)
        mailbox.post(10)
        #expect(bell.rings.load(ordering: .relaxed) == 2)
    }

    /// Fault: a drain that takes first and disarms after. An element posted in between rings no
    /// bell, and stays in the mailbox until the next post.
    @Test func whatIsPostedWhileTheBellIsSilencedIsTaken() {
        let bell = CountingBell()
        let mailbox = Mailbox<Int>(bell: bell)
        bell.onSilence.withLock { $0 = { mailbox.post(2) } }
        // It holds the mailbox, which holds the bell.
        defer { bell.onSilence.withLock { $0 = nil } }
        mailbox.post(1)
        #expect(mailbox.drain() == [1, 2])
    }

    /// Fault: a post that falls between the reader's look and its sleep, and wakes no thread. The
    /// reader here sleeps until the bell rings, so a lost ring is a hang that the timeout reports.
    @Test func noPostIsEverOverslept() {
        let bell = CountingBell()
        let mailbox = Mailbox<Int>(bell: bell)
        let (writers, each) = (4, 5_000)
        for writer in 0..<writers {
            DispatchQueue.global().async {
                for number in 0..<each { mailbox.post(writer * each + number) }
            }
        }
        var seen: Set<Int> = []
        while seen.count < writers * each, bell.posted.wait(timeout: .now() + 30) == .success {
            seen.formUnion(mailbox.drain())
        }
        #expect(seen.count == writers * each)
    }
}

/// Keeps dead letters until the test lets them go.
private final class WithholdingJournal: DeadLetterJournal {
    let letters = Locked<[DeadLetterRecord]>([])
    let gates = Locked<[@Sendable () -> Void]>([])

    func record(
        _ letters: [DeadLetterRecord],
        then proceed: @escaping @Sendable () -> Void
    ) {
        self.letters.withLock { $0 += letters }
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
    @Test func aLetterWaitsForItsRowAndARetryDoesNot() {
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
        let letters = journal.letters.withLock { $0 }
        #expect(letters.map(\.isReadable) == [true, false])
        #expect(Set(letters.compactMap(\.message.letterID)).count == 2)
        bench.finish()
    }
}
