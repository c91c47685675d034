import Foundation

/// Names one delivery: tags restart at 1 on every new channel, so a tag alone names nothing.
package struct DeliveryID: Hashable, Sendable, CustomStringConvertible {
    /// Generation of the consumer's connection, 1 for the first.
    package var session: UInt64
    /// The broker's delivery tag, 1 or more.
    package var tag: UInt64

    package init(session: UInt64, tag: UInt64) {
        self.session = session
        self.tag = tag
    }

    package var description: String { "\(session)/\(tag)" }
}

/// A scalar header. Nested tables and arrays are not carried on: nothing of ours reads them, and
/// what a stranger nests is theirs to unnest.
package enum HeaderValue: Sendable, Equatable {
    case bool(Bool)
    case integer(Int64)
    case double(Double)
    case string(String)
    /// A byte array, or a string that is not UTF-8.
    case bytes([UInt8])
    /// Seconds since 1970.
    case timestamp(UInt64)

    /// For people.
    package var shown: String {
        switch self {
        case .bool(let bool): "\(bool)"
        case .integer(let integer): "\(integer)"
        case .double(let double): "\(double)"
        case .string(let string): string
        case .bytes(let bytes): "\(bytes.count) bytes"
        case .timestamp(let seconds): "\(seconds)"
        }
    }
}

/// What a message carries besides its body. Only what may be published again is kept, and of texts
/// only those that are UTF-8, so that a copy has them unaltered or not at all.
package struct MessageProperties: Sendable, Equatable {
    package var contentType: String?
    package var contentEncoding: String?
    package var correlationID: String?
    package var messageID: String?
    package var replyTo: String?
    package var appID: String?
    /// Chooses the kind of work.
    package var type: String?
    /// Seconds since 1970, as the publisher set it.
    package var timestamp: UInt64?
    package var priority: UInt8?
    package var headers: [String: HeaderValue] = [:]

    package init() {}
}

package struct Message: Sendable {
    package var properties: MessageProperties
    package var body: [UInt8]

    package init(properties: MessageProperties = .init(), body: [UInt8]) {
        self.properties = properties
        self.body = body
    }
}

/// One arrival of a message.
package struct Delivery: Sendable {
    package var id: DeliveryID
    package var message: Message
    /// The broker's hint that it was delivered before; never a count.
    package var redelivered: Bool
    /// When it began to wait for a thread; the last time, if it was put back.
    package var receivedAt: ContinuousClock.Instant
    /// The number of the queue among those of its consumer.
    package var source: Int
    /// How often it was put back among those that wait for a thread.
    package var deferrals = 0
    /// The same for deliveries that are likely to change the same row; nil where nothing is known.
    package var affinity: Int?

    /// Whether it may be put back once more. Chosen: after three times it waits for what it needs.
    package var mayBeDeferred: Bool { !redelivered && deferrals < 3 }

    package init(
        id: DeliveryID,
        message: Message,
        redelivered: Bool,
        receivedAt: ContinuousClock.Instant,
        source: Int = 0
    ) {
        self.id = id
        self.message = message
        self.redelivered = redelivered
        self.receivedAt = receivedAt
        self.source = source
    }
}

/// Why a message was not done. Both parts travel in headers and logs.
package struct Failure: Error, Sendable, Equatable {
    /// UPPER_SNAKE_CASE, at most 50 characters: `error_code` in the event row.
    package var code: String
    /// One sentence. Never a value out of a body or a row: these may be private.
    package var reason: String
    /// The id of what it is about, for logs; nil when the message names nothing.
    package var subject: String?

    package init(code: String, reason: String, subject: String? = nil) {
        self.code = code
        self.reason = reason
        self.subject = subject
    }

    package func about(_ subject: String) -> Failure {
        Failure(code: code, reason: reason, subject: subject)
    }
}

/// What became of one delivery in its handler.
package enum Outcome: Sendable, Equatable {
    /// Its effect is durable.
    case done
    /// So it was before: there was nothing left to do.
    case duplicate
    /// It failed, and may succeed later.
    case retry(Failure)
    /// It will never succeed.
    case deadLetter(Failure)
    /// It met something that is not its own fault and that takes its time: it runs again later, no
    /// attempt spent.
    ///
    /// - Parameter isBounded: whether it becomes a retry when that has happened often.
    case postpone(Failure, isBounded: Bool)
    /// It has nothing to do before a time: its message goes away until then, no attempt spent.
    ///
    /// It waits in the delay queues that there are, in one after the other where none is as long.
    /// It runs at that time or later, by no more than the shortest of them takes; and after a week
    /// at the latest, whatever the time is.
    case snooze(until: Date)
    /// Its effect is no longer wanted: it is settled without one.
    case cancelled
    /// Another batch has locked what it needs: it is put back among those that wait for a thread,
    /// in order of arrival, and runs with a later batch. One that may not be deferred again goes
    /// back to the queue.
    case deferred
    /// It did not run to its end, through no fault of its own: back to the queue, no attempt spent.
    case interrupted
}

/// How a delivery leaves the channel, exactly once.
package enum Settlement: Sendable, Equatable {
    case ack
    case requeue
}

/// A settlement on its way to the thread that owns the channel.
package struct Completion: Sendable, Equatable {
    package var id: DeliveryID
    package var settlement: Settlement

    package init(id: DeliveryID, settlement: Settlement) {
        self.id = id
        self.settlement = settlement
    }
}
