import Messaging

/// Writes down each dead letter, without its body, so that looking at them needs no look into their
/// queue: on a quorum queue each look costs a message one delivery of its limit, and at the limit
/// the broker drops it.
package protocol DeadLetterJournal: Sendable {
    /// Returns at once, and calls `proceed` once: when the dead letters are written down, or when
    /// that takes too long or cannot be done. A dead letter is never kept waiting for a database
    /// that is away.
    ///
    /// - Parameter proceed: publishes the dead letters. May run on any thread; must not block.
    func record(_ records: [DeadLetterRecord], then proceed: @escaping @Sendable () -> Void)
}

/// A message on its way to the dead-letter queue.
package struct DeadLetterRecord: Sendable {
    /// As it is published there.
    package var message: Message
    package var failure: Failure
    /// Runs it was given.
    package var attempts: Int
    /// false where the body must not be looked at: it may be what kills, or is too large.
    package var isReadable: Bool
    /// Whether its original was delivered before, so that it may have been written down before,
    /// too.
    package var isRedelivered: Bool

    package init(
        message: Message,
        failure: Failure,
        attempts: Int,
        isReadable: Bool,
        isRedelivered: Bool
    ) {
        self.message = message
        self.failure = failure
        self.attempts = attempts
        self.isReadable = isReadable
        self.isRedelivered = isRedelivered
    }
}

/// Writes nothing down.
package struct NoJournal: DeadLetterJournal {
    package init() {}

    package func record(
        _ records: [DeadLetterRecord],
        then proceed: @escaping @Sendable () -> Void
    ) {
        proceed()
    }
}
