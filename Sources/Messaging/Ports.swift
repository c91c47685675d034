/// Takes what a transport delivers. The runtime fills it; the thread that owns the channel calls
/// it, and no call blocks.
package protocol DeliveryReceiver: Sendable {
    func submit(_ deliveries: [Delivery])

    /// Gives back whatever has not begun: at a drain, or when its session is lost.
    func withdraw() -> [Delivery]

    /// Dead-letters a delivery that is not to be looked at.
    func refuse(_ delivery: Delivery, because failure: Failure)

    var load: Workload { get }
}

/// Takes deliveries and says which of them have waited for too long.
package protocol QueueSetReceiver: DeliveryReceiver {
    /// Takes back what has waited here for long while nothing began: an idle worker elsewhere may
    /// run it at once. Their queues are asked for nothing until `mayStart`.
    func surrender(at now: ContinuousClock.Instant) -> [Delivery]

    /// Whether a thread is free.
    var mayStart: Bool { get }

    /// Takes back what waits here of some queues, by their numbers.
    func withdraw(from sources: Set<Int>) -> [Delivery]
}

/// What a receiver has in hand at the moment.
package struct Workload: Sendable {
    /// Threads that have work in hand.
    package var busy: Int
    /// Threads that may have.
    package var limit: Int
    /// Deliveries that wait for one.
    package var waiting: Int
    /// Whether a thread has several deliveries in hand.
    package var areBatches: Bool

    package init(busy: Int, limit: Int, waiting: Int, areBatches: Bool = false) {
        self.busy = busy
        self.limit = limit
        self.waiting = waiting
        self.areBatches = areBatches
    }

    /// How many acks may wait for others before them. While as many deliveries wait, no thread
    /// idles for want of the broker's next message. Of batches a third of what the broker sends is
    /// left as well: each ack that is sent singly costs the broker as much as one of a whole batch,
    /// and while two thirds are in hand, or wait, threads have work.
    package func acksToSpare(of prefetch: Int) -> Int {
        areBatches ? max(waiting, prefetch / 3) : waiting
    }
}

/// Publishes a message again and settles its original once the broker has confirmed the copy.
package protocol Republisher: Sendable {
    /// Returns at once. The original's ack is posted when the copy is safe, never before.
    ///
    /// - Parameter subject: the id of what the message is about, for logs; nil when it names
    ///   nothing.
    func republish(
        _ message: Message,
        about subject: String?,
        to queue: String,
        replacing original: DeliveryID
    )
}
