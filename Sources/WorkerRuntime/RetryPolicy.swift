import Digests
import Foundation
import Messaging

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
        var copy = annotated(message, attempts: attempts, failure: failure, at: now)
        if isDead { name(&copy, after: message) }
        return Disposition(
            queue: isDead ? names.dead : names.retry(seconds: step),
            message: copy,
            attempts: attempts,
            retryAfter: isDead ? nil : step
        )
    }

    /// Most times that a message is put off for what passes by itself. Chosen: hours, with the
    /// delays that are the default.
    private static let mostPostponements = 20

    /// Where a message goes that is to run later with no attempt spent: the same delays, the same
    /// body.
    ///
    /// - Parameter isBounded: false where nothing speaks against the message, however long it
    ///   takes.
    /// - Returns: nil when it was put off too often: from then on attempts are spent.
    package func postponement(
        of message: Message,
        isBounded: Bool,
        using random: inout some RandomNumberGenerator
    ) -> Disposition? {
        let count = Self.count(HeaderName.postponements, of: message) + 1
        if isBounded && count > Self.mostPostponements { return nil }
        let step = backoffSeconds[
            min(Int.random(in: count...(count + 1), using: &random), backoffSeconds.count) - 1
        ]
        var message = message
        message.properties.headers = message.properties.headers.filter {
            HeaderName.travels($0.key)
        }
        message.properties.headers[HeaderName.postponements] = .integer(Int64(count))
        return Disposition(
            queue: names.retry(seconds: step),
            message: message,
            attempts: Self.attempts(of: message),
            retryAfter: step
        )
    }

    /// The message as it goes back to work from the dead letters: nothing recorded but the count of
    /// its replays, so with a fresh budget of attempts.
    package static func replayed(_ message: Message) -> Message {
        var message = message
        let replays = replays(of: message) + 1
        // Its publisher gave it none: see `name`.
        if let id = message.properties.messageID,
            message.properties.headers[HeaderName.deadLetterID] == .string(id)
        {
            message.properties.messageID = nil
        }
        message.properties.headers = message.properties.headers.filter { name, _ in
            !name.hasPrefix(HeaderName.prefix)
        }
        message.properties.headers[HeaderName.replays] = .integer(Int64(replays))
        return message
    }

    /// How often an operator has put the message back to work.
    package static func replays(of message: Message) -> Int {
        count(HeaderName.replays, of: message)
    }

    /// Tells the lives of a message apart: each has a record of crashes of its own.
    static func lives(of message: Message) -> String {
        "\(replays(of: message)) \(count(HeaderName.acquittals, of: message))"
    }

    /// The copy that goes back to the queue when a charge against its message could not be taken
    /// back: the new acquittal count makes a new `MessageKey`, so the old charge no longer matches.
    static func acquitted(_ message: Message) -> Message {
        var message = message
        let acquittals = count(HeaderName.acquittals, of: message) + 1
        message.properties.headers[HeaderName.acquittals] = .integer(Int64(acquittals))
        return message
    }

    /// Runs recorded on the message so far. A forged header shortens or prolongs only its own
    /// message's life, and never beyond the limit.
    static func attempts(of message: Message) -> Int {
        count(HeaderName.attempts, of: message)
    }

    /// A count of ours in the headers, 0 when it is missing or forged beyond sense.
    private static func count(_ header: String, of message: Message) -> Int {
        guard case .integer(let count) = message.properties.headers[header] else { return 0 }
        return Int(min(max(count, 0), 1_000_000))
    }

    /// Gives a dead letter an id, so that it can be shown, retried and purged whatever is in its
    /// body.
    ///
    /// The id is made from the original alone: one that is dead-lettered twice, because its worker
    /// died between the copy's confirm and the ack, keeps its id. Two messages that do not differ
    /// at all share one, too.
    private func name(_ copy: inout Message, after original: Message) {
        let properties = original.properties
        let parts = [
            names.main, properties.type ?? "", properties.messageID ?? "", Self.lives(of: original),
        ]
        let head = parts.joined(separator: "\u{0}") + "\u{0}"
        let id = Digest.sha256(Array(head.utf8) + original.body).prefix(16).hexadecimal
        copy.properties.headers[HeaderName.deadLetterID] = .string(id)
        copy.properties.headers[HeaderName.bodyDigest] = .string(
            Digest.sha256(original.body).prefix(8).hexadecimal
        )
        if copy.properties.messageID == nil { copy.properties.messageID = id }
    }

    /// Whether a header that bears our name is as we write it: a forged one of any size would take
    /// the room of those that bound the attempts.
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
        // Nor may travel on what pretends to be ours: our headers go even when there is no room for
        // others.
        var headers = message.properties.headers.filter { name, value in
            if [HeaderName.firstFailure, HeaderName.replays, HeaderName.postponements].contains(
                name
            ) {
                return Self.isOurs(value)
            }
            return HeaderName.travels(name) && !name.lowercased().hasPrefix(HeaderName.prefix)
        }
        headers[HeaderName.attempts] = .integer(Int64(attempts))
        headers[HeaderName.code] = .string(failure.code)
        headers[HeaderName.reason] = .string(failure.reason)
        headers[HeaderName.firstFailure] = headers[HeaderName.firstFailure] ?? timestamp
        headers[HeaderName.lastFailure] = timestamp
        headers[HeaderName.worker] = .string(worker)
        headers[HeaderName.queue] = .string(names.main)
        message.properties.headers = headers
        return message
    }
}
