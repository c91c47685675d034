import Dispatch
import Logging
import Synchronization
import Testing

@testable import WorkerRuntime

/// Counts rings, so that a test sees whether a wake-up was lost or wasted.
private final class CountingBell: Bell {
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

private final class RecordingRepublisher: Republisher {
    let messages = Locked<[(queue: String, original: DeliveryID)]>([])

    func republish(_ message: Message, to queue: String, replacing original: DeliveryID) {
        messages.withLock { $0.append((queue, original)) }
    }
}

/// Does what the test says, and remembers the sizes of its batches.
private final class ScriptedHandler: Handler {
    let batchLimit: Int
    let sizes = Locked<[Int]>([])
    private let body: @Sendable ([Delivery]) -> [Outcome]

    init(batchLimit: Int = 32, _ body: @escaping @Sendable ([Delivery]) -> [Outcome]) {
        self.batchLimit = batchLimit
        self.body = body
    }

    func handle(_ deliveries: [Delivery], in context: HandlerContext) -> [Outcome] {
        sizes.withLock { $0.append(deliveries.count) }
        return body(deliveries)
    }
}

private struct Bench {
    let bell = CountingBell()
    let republisher = RecordingRepublisher()
    let completions: Mailbox<Completion>
    let pool: ThreadPool
    let dispatcher: Dispatcher

    init(threads: Int, handler: any Handler) {
        completions = Mailbox(bell: bell)
        pool = ThreadPool(count: threads, name: "test")
        dispatcher = Dispatcher(
            pool: pool,
            handlers: HandlerRegistry(untyped: handler, byType: ["typed": handler]),
            policy: RetryPolicy(
                names: QueueNames(main: "q"),
                maxAttempts: 2,
                backoffSeconds: [1],
                worker: "w"
            ),
            completions: completions,
            republisher: republisher,
            drain: DrainSignal(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
    }

    func finish() {
        pool.waitUntilIdle()
        pool.close()
    }
}

private func delivery(_ tag: UInt64, type: String? = nil) -> Delivery {
    var properties = MessageProperties()
    properties.type = type
    return Delivery(
        id: DeliveryID(session: 1, tag: tag),
        message: Message(properties: properties, body: []),
        redelivered: false,
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
        #expect(Set(copies.map(\.original.tag)).count == 50)
    }

    @Test func aTypeNobodyHandlesIsDeadLettered() {
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

    /// Fault: a drain that takes first and disarms after. What is posted in between rings nobody,
    /// and lies there until the next post.
    @Test func whatIsPostedWhileTheBellIsSilencedIsTaken() {
        let bell = CountingBell()
        let mailbox = Mailbox<Int>(bell: bell)
        bell.onSilence.withLock { $0 = { mailbox.post(2) } }
        // It holds the mailbox, which holds the bell.
        defer { bell.onSilence.withLock { $0 = nil } }
        mailbox.post(1)
        #expect(mailbox.drain() == [1, 2])
    }

    /// Fault: a post that falls between the reader's look and its sleep, and wakes nobody. The
    /// reader here sleeps until it is rung, so a lost ring is a hang that the timeout turns red.
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
