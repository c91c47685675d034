/// What makes a queue unfit to be the one that a worker consumes from, as a 406 of the broker tells
/// it.
package enum QueueDefect: String, Sendable, CaseIterable, CustomStringConvertible {
    /// Its messages stay in it, acked or not: every worker would be given all of them, for ever.
    case stream
    /// The broker deletes it, with what is in it, when its last consumer goes: at the end of a
    /// worker.
    case autoDelete = "auto-delete"
    /// It is gone, with what is in it, when the broker's node stops.
    case notDurable = "not-durable"

    package var description: String {
        switch self {
        case .stream: "is a stream, which a worker cannot consume from"
        case .autoDelete:
            "is auto-delete: it would be deleted with its messages when this worker stops"
        case .notDurable: "is not durable: the broker's next stop deletes it with its messages"
        }
    }

    package var remedy: String {
        "stop its publishers, let it run empty or move its messages away, delete it and declare it "
            + "durable, as classic or quorum: amity migrate does, where the user may"
    }

    /// Whether consuming from it would lose messages or never end.
    package var forbidsConsuming: Bool {
        switch self {
        case .stream, .autoDelete: true
        case .notDurable: false
        }
    }
}

/// What a refused declaration tells of a queue that exists: 406 names the first property that
/// differs.
package enum QueueDifference {
    /// The queue's type, e.g. "quorum", where that is what differs.
    ///
    /// - Parameter refusal: the broker's text, such as "inequivalent arg 'x-queue-type' for queue
    ///   'q' in vhost '/': received none but current is the value 'quorum' of type 'longstr'", or
    ///   since RabbitMQ 4 "… received 'classic' but current is 'quorum'".
    package static func queueType(in refusal: String) -> String? {
        guard refusal.contains("'x-queue-type'") else { return nil }
        if let match = refusal.firstMatch(of: /current is (?:the value )?'([a-z0-9_-]+)'/) {
            return String(match.1)
        }
        // Classic is what a queue is that was declared without one.
        return refusal.contains("current is none") ? "classic" : nil
    }

    static func differs(_ property: String, in refusal: String) -> Bool {
        refusal.contains("'\(property)'")
    }
}
