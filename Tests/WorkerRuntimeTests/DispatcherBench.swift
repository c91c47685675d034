import Concurrency
import Dispatch
import Messaging
import TestSupport
import WorkerHealth

@testable import WorkerRuntime

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
    /// Of how many failures each call was.
    let records = Locked<[Int]>([])
    let wasRecorded = DispatchSemaphore(value: 0)
    private let affinity: @Sendable (Message) -> Int?
    private let body: @Sendable ([Delivery]) -> [Outcome]

    init(
        batchLimit: Int = 32,
        affinity: @escaping @Sendable (Message) -> Int? = { _ in nil },
        _ body: @escaping @Sendable ([Delivery]) -> [Outcome]
    ) {
        self.batchLimit = batchLimit
        self.affinity = affinity
        self.body = body
    }

    func affinity(of message: Message) -> Int? { affinity(message) }

    func handle(_ deliveries: [Delivery], in context: HandlerContext) -> [Outcome] {
        sizes.withLock { $0.append(deliveries.count) }
        return body(deliveries)
    }

    func record(_ failed: [FailedDelivery], in context: HandlerContext) {
        recorded.withLock { $0 += failed }
        records.withLock { $0.append(failed.count) }
        wasRecorded.signal()
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
