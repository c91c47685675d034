/// The names that hang on a queue's name, so that several queues live on one broker.
package struct QueueNames: Sendable, Equatable {
    package let main: String

    package init(main: String) {
        self.main = main
    }

    package var dead: String { "\(main).dead" }

    package func retry(seconds: Int) -> String { "\(main).retry.\(seconds)" }
}

/// Headers of ours. They start afresh when a dead letter is replayed.
package enum HeaderName {
    /// With which each of them begins.
    package static let prefix = "amity-"

    package static let attempts = "amity-attempts"
    /// How often it was put off with no attempt spent.
    package static let postponements = "amity-postponements"
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
    /// Names a dead letter: the same for every copy of the same message in the same life.
    package static let deadLetterID = "amity-letter-id"
    /// The first 8 bytes of the body's SHA-256, in hexadecimal.
    package static let bodyDigest = "amity-body-sha256"
    /// Seconds since 1970 before which the message does not run.
    package static let snoozedUntil = "amity-snoozed-until"

    /// What routes, expires or counts for the broker must not travel on with a copy.
    package static func travels(_ header: String) -> Bool {
        let name = header.lowercased()
        return name != "cc" && name != "bcc" && !name.hasPrefix("x-")
    }
}

extension Message {
    /// The id that a dead letter of this version carries; nil for others.
    package var deadLetterID: String? {
        if case .string(let id) = properties.headers[HeaderName.deadLetterID] {
            id
        } else {
            nil
        }
    }
}
