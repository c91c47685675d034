import Foundation

/// Decides what happens to a message that failed: a delay queue while attempts are left, then the
/// dead-letter queue. Pure; the republisher performs it.
package struct RetryPolicy: Sendable {
    /// Where a message goes next, as it should be published.
    package struct Disposition: Sendable {
        package var queue: String
        package var message: Message
        /// 1-based count of runs, this one included.
        package var attempts: Int
        /// Seconds until it runs again; nil when it is dead.
        package var retryAfter: Int?

        package var isDead: Bool { retryAfter == nil }
    }

    /// With which every header of ours begins.
    package static let headerPrefix = "amity-"

    /// Headers of ours. They start afresh when a dead letter is replayed.
    package enum Header {
        package static let attempts = "amity-attempts"
        package static let code = "amity-error-code"
        package static let reason = "amity-error-reason"
        package static let firstFailure = "amity-first-failure-at"
        package static let lastFailure = "amity-last-failure-at"
        package static let worker = "amity-worker"
        package static let queue = "amity-queue"
        /// How often an operator has put the message back to work.
        package static let replays = "amity-replays"
        /// How often it was cleared of a crash by other means than the database.
        package static let acquittals = "amity-acquittals"
    }

    package let names: QueueNames
    /// Runs a message is given before it is dead, 1 or more.
    package let maxAttempts: Int
    /// Times a message may kill its worker before it is quarantined, 1 or more.
    package let maxCrashes: Int
    /// Seconds to wait after the 1st, 2nd, … failure, or the step after it; the last repeats.
    package let backoffSeconds: [Int]
    /// Who failed it, for the dead letter's reader.
    package let worker: String

    package init(
        names: QueueNames,
        maxAttempts: Int,
        maxCrashes: Int,
        backoffSeconds: [Int],
        worker: String
    ) {
        precondition(maxAttempts >= 1 && maxCrashes >= 1 && !backoffSeconds.isEmpty)
        self.names = names
        self.maxAttempts = maxAttempts
        self.maxCrashes = maxCrashes
        self.backoffSeconds = backoffSeconds
        self.worker = worker
    }

    package func disposition(
        of message: Message,
        after failure: Failure,
        isPermanent: Bool,
        at now: Date,
        using random: inout some RandomNumberGenerator
    ) -> Disposition {
        let attempts = Self.attempts(of: message) + 1
        let isDead = isPermanent || attempts >= maxAttempts
        // A fixed-TTL queue cannot jitter, so the choice between a step and the next one does:
        // what failed together does not come back together.
        let step = backoffSeconds[
            min(Int.random(in: attempts...(attempts + 1), using: &random), backoffSeconds.count) - 1
        ]
        return Disposition(
            queue: isDead ? names.dead : names.retry(seconds: step),
            message: annotated(message, attempts: attempts, failure: failure, at: now),
            attempts: attempts,
            retryAfter: isDead ? nil : step
        )
    }

    /// The message as it goes back to work from the dead letters: nothing recorded but the count of
    /// its replays, so with a fresh budget of attempts.
    package static func replayed(_ message: Message) -> Message {
        var message = message
        let replays = replays(of: message) + 1
        message.properties.headers = message.properties.headers.filter { name, _ in
            !name.hasPrefix(headerPrefix)
        }
        message.properties.headers[Header.replays] = .integer(Int64(replays))
        return message
    }

    /// How often an operator has put the message back to work.
    package static func replays(of message: Message) -> Int { count(Header.replays, of: message) }

    /// Tells the lives of a message apart: each has a record of crashes of its own.
    static func lives(of message: Message) -> String {
        "\(replays(of: message)) \(count(Header.acquittals, of: message))"
    }

    /// The message as it goes back to its queue when a charge against it could not be taken back: under
    /// another key, so that nobody holds it against it.
    static func acquitted(_ message: Message) -> Message {
        var message = message
        let acquittals = count(Header.acquittals, of: message) + 1
        message.properties.headers[Header.acquittals] = .integer(Int64(acquittals))
        return message
    }

    /// Runs recorded on the message so far. A forged header shortens or prolongs only its own
    /// message's life, and never beyond the limit.
    private static func attempts(of message: Message) -> Int {
        count(Header.attempts, of: message)
    }

    /// A count of ours in the headers, 0 when it is missing or forged beyond sense.
    private static func count(_ header: String, of message: Message) -> Int {
        guard case .integer(let count) = message.properties.headers[header] else { return 0 }
        return Int(min(max(count, 0), 1_000_000))
    }

    /// Whether a header that bears our name is as we write it: a forged one of any size would take the
    /// room of those that bound the attempts.
    private static func isOurs(_ value: HeaderValue) -> Bool {
        switch value {
        case .integer: true
        case .string(let text): text.utf8.count <= 40
        case .bool, .double, .bytes, .timestamp: false
        }
    }

    private func annotated(
        _ message: Message,
        attempts: Int,
        failure: Failure,
        at now: Date
    ) -> Message {
        var message = message
        let timestamp = HeaderValue.string(now.formatted(.iso8601))
        // What routes, expires or counts for the broker must not travel on with the copy, nor what
        // pretends to be ours: our headers go even when there is no room for others.
        var headers = message.properties.headers.filter { name, value in
            if name == Header.firstFailure || name == Header.replays {
                return Self.isOurs(value)
            }
            let name = name.lowercased()
            return name != "cc" && name != "bcc" && !name.hasPrefix("x-")
                && !name.hasPrefix(Self.headerPrefix)
        }
        headers[Header.attempts] = .integer(Int64(attempts))
        headers[Header.code] = .string(failure.code)
        headers[Header.reason] = .string(failure.reason)
        headers[Header.firstFailure] = headers[Header.firstFailure] ?? timestamp
        headers[Header.lastFailure] = timestamp
        headers[Header.worker] = .string(worker)
        headers[Header.queue] = .string(names.main)
        message.properties.headers = headers
        return message
    }
}

/// The names that hang on a queue's name, so that several queues live on one broker.
package struct QueueNames: Sendable, Equatable {
    package let main: String

    package init(main: String) {
        self.main = main
    }

    package var dead: String { "\(main).dead" }

    package func retry(seconds: Int) -> String { "\(main).retry.\(seconds)" }
}

/// Publishes a message again and settles its original once the broker has confirmed the copy.
package protocol Republisher: Sendable {
    /// Returns at once. The original's ack is posted when the copy is safe, never before.
    ///
    /// - Parameter subject: the id of what the message is about, for logs; nil when it names nothing.
    func republish(
        _ message: Message,
        about subject: String?,
        to queue: String,
        replacing original: DeliveryID
    )
}
