import Concurrency
import Messaging
import Synchronization

/// What a message of one type makes happen. Adding a kind of work means writing one of these; see
/// `WorkKind`.
package protocol Handler: Sendable {
    /// Most deliveries one call is given, 1 or more. A handler that waits for another service says
    /// 1: then deliveries wait side by side, each on its own thread. Asked anew for each batch,
    /// from any thread of the pool and under no lock.
    var batchLimit: Int { get }

    /// A guess, from its message alone, at what a delivery will lock; see `Delivery.affinity`.
    /// Called for each on the thread that owns the channel: a glance. Of no effect where
    /// `batchLimit` is 1.
    func affinity(of message: Message) -> Int?

    /// Runs on a thread of the pool, and may block it. An error of one delivery is its outcome and
    /// touches no other.
    ///
    /// - Parameter deliveries: 1 to `batchLimit`, in order of arrival.
    /// - Returns: one outcome for each delivery, in the same order.
    func handle(_ deliveries: [Delivery], in context: HandlerContext) -> [Outcome]

    /// Writes down what failed, before its message moves on. Called on the thread that handled it,
    /// and for a message that may no longer be handled at all. What cannot be written down is
    /// logged: the message moves on all the same.
    func record(_ failed: [FailedDelivery], in context: HandlerContext)
}

extension Handler {
    package func affinity(of message: Message) -> Int? { nil }
}

/// A delivery that failed, and where its message goes.
package struct FailedDelivery: Sendable {
    package var delivery: Delivery
    package var failure: Failure
    /// Seconds until it runs again; nil when it is dead.
    package var retryAfter: Int?

    package init(delivery: Delivery, failure: Failure, retryAfter: Int?) {
        self.delivery = delivery
        self.failure = failure
        self.retryAfter = retryAfter
    }
}

/// What a call of a handler is given besides its deliveries.
package struct HandlerContext: Sendable {
    /// Takes how far a run is; must not block.
    ///
    /// - Parameters:
    ///   - percent: 0 to 100.
    ///   - note: one sentence for a reader; nil leaves the last one.
    package typealias ProgressReport = @Sendable (_ percent: Int, _ note: String?) -> Void

    /// The thread this call runs on.
    package let slot: ThreadPool.Slot
    /// A handler that waits for something to come back waits on this, so that a stop wakes it.
    package let drain: DrainSignal
    /// nil where the work cannot be cancelled.
    private let cancellation: CancellationToken?
    /// nil where no process reads the progress.
    private let progressReport: ProgressReport?
    private let peek: @Sendable (Int) -> [Message]

    package init(
        slot: ThreadPool.Slot,
        drain: DrainSignal,
        upcoming: @escaping @Sendable (Int) -> [Message] = { _ in [] },
        cancellation: CancellationToken? = nil,
        progress: ProgressReport? = nil
    ) {
        self.slot = slot
        self.drain = drain
        self.cancellation = cancellation
        progressReport = progress
        peek = upcoming
    }

    /// A hint at what calls of this handler will be given next, so that it may get ready for
    /// several of them at once: the messages that wait for a thread, in order, and of them the
    /// thread's share. Other threads take them at any time, or they go back to the broker. Empty in
    /// a call that runs alone; what was delivered before is left out.
    package func upcoming(atMost most: Int) -> [Message] { most > 0 ? peek(most) : [] }

    /// Whether the result of this run is no longer wanted: the handler ends soon and answers
    /// `.cancelled`. A drain is no cancellation; see `drain`.
    package var isCancelled: Bool { cancellation?.isCancelled ?? false }

    /// Tells how far the run is. Returns at once.
    package func report(progress percent: Int, note: String? = nil) {
        progressReport?(min(max(percent, 0), 100), note)
    }
}

/// Tells a run that its result is no longer wanted. Any thread may set it; it stays set.
package final class CancellationToken: Sendable {
    private let flag = Atomic(false)

    package init() {}

    package var isCancelled: Bool { flag.load(ordering: .acquiring) }

    package func cancel() { flag.store(true, ordering: .releasing) }
}
