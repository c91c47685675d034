/// What a message of one type makes happen. Adding a kind of work means adding one of these.
package protocol Handler: Sendable {
    /// Most deliveries one call is given, 1 or more. A handler that waits for somebody says 1:
    /// then deliveries wait side by side, each on its own thread.
    var batchLimit: Int { get }

    /// Runs on a thread of the pool, and may block it. An error of one delivery is its outcome and
    /// touches no other.
    ///
    /// - Parameter deliveries: 1 to `batchLimit`, in order of arrival.
    /// - Returns: one outcome for each delivery, in the same order.
    func handle(_ deliveries: [Delivery], in context: HandlerContext) -> [Outcome]

    /// Writes down what failed, before its message moves on. Called on the thread that handled it,
    /// and for a message that may no longer be handled at all. What cannot be written down is logged:
    /// the message moves on all the same.
    func record(_ failed: [FailedDelivery], in context: HandlerContext)
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

package struct HandlerContext: Sendable {
    /// The thread this call runs on.
    package let slot: ThreadPool.Slot
    /// A handler that waits for something to come back waits on this, so that a stop wakes it.
    package let drain: DrainSignal

    package init(slot: ThreadPool.Slot, drain: DrainSignal) {
        self.slot = slot
        self.drain = drain
    }
}

/// Handlers by the AMQP `type` property.
package struct HandlerRegistry: Sendable {
    private let fallback: any Handler
    private let byType: [String: any Handler]

    /// - Parameters:
    ///   - untyped: takes messages without a type.
    ///   - byType: takes messages that name their type.
    package init(untyped: any Handler, byType: [String: any Handler]) {
        fallback = untyped
        self.byType = byType
    }

    package subscript(type: String?) -> any Handler {
        type.map { byType[$0] ?? UnknownTypeHandler() } ?? fallback
    }
}

/// Takes messages of a type that nobody handles.
private struct UnknownTypeHandler: Handler {
    let batchLimit = 1

    func handle(_ deliveries: [Delivery], in context: HandlerContext) -> [Outcome] {
        let failure = Failure(
            code: "UNKNOWN_TYPE",
            reason: "no handler for the message's type property; leave it unset for a conversation"
        )
        return deliveries.map { _ in .deadLetter(failure) }
    }

    func record(_ failed: [FailedDelivery], in context: HandlerContext) {}
}
