import Digests
import Foundation
import JSON
import Messaging

/// A dead letter, as its row or its headers describe it. The body is not part of it: it may hold a
/// child's conversation.
package struct DeadLetter: Sendable, Equatable, Encodable {
    /// What has become of its message.
    package enum State: String, Sendable, Encodable {
        /// In the dead-letter queue.
        case waiting
        /// Put back to work.
        case replayed
        /// Thrown away.
        case purged
        /// Not in the queue any more, and no command of Amity's took it: another consumer did, or a
        /// policy of the broker.
        case gone
    }

    /// Names it, also where it names no conversation. The header that its worker gave it; for
    /// dead letters of others and of older versions a digest of all that is known of it.
    package var id: String
    /// nil when the body names none.
    package var conversationID: String?
    /// From the message, where its publisher put it there, or else from its conversation's row.
    package var userID: String?
    /// As its publisher set it, or else the dead letter's id.
    package var messageID: String?
    package var code: String
    package var reason: String
    package var attempts: Int
    /// How often it has been put back on the queue by `dead-letters retry`.
    package var replays: Int
    package var firstFailureAt: String
    package var lastFailureAt: String
    package var worker: String
    package var bodyBytes: Int
    /// The first 8 bytes of the body's SHA-256.
    package var bodySHA256: String
    /// Messages that share the id: they do not differ.
    package var copies = 1
    package var state = State.waiting
    /// When it was retried, purged, or found to be gone.
    package var settledAt: String?

    init(
        id: String,
        conversationID: String?,
        userID: String?,
        messageID: String?,
        code: String,
        reason: String,
        attempts: Int,
        replays: Int,
        firstFailureAt: String,
        lastFailureAt: String,
        worker: String,
        bodyBytes: Int,
        bodySHA256: String,
        copies: Int,
        state: State,
        settledAt: String?
    ) {
        self.id = id
        self.conversationID = conversationID
        self.userID = userID
        self.messageID = messageID
        self.code = code
        self.reason = reason
        self.attempts = attempts
        self.replays = replays
        self.firstFailureAt = firstFailureAt
        self.lastFailureAt = lastFailureAt
        self.worker = worker
        self.bodyBytes = bodyBytes
        self.bodySHA256 = bodySHA256
        self.copies = copies
        self.state = state
        self.settledAt = settledAt
    }

    package init(_ message: Message) {
        let headers = message.properties.headers
        func text(_ name: String) -> String {
            if case .string(let text) = headers[name] { text } else { "" }
        }
        func count(_ name: String) -> Int {
            if case .integer(let count) = headers[name] { Int(clamping: count) } else { 0 }
        }
        let members = DeadLetterMembers(body: message.body)
        conversationID = members.conversationID
        userID = members.userID
        messageID = message.properties.messageID
        code = text(HeaderName.code)
        reason = text(HeaderName.reason)
        attempts = count(HeaderName.attempts)
        replays = count(HeaderName.replays)
        firstFailureAt = text(HeaderName.firstFailure)
        lastFailureAt = text(HeaderName.lastFailure)
        worker = text(HeaderName.worker)
        bodyBytes = message.body.count
        bodySHA256 = Digest.sha256(message.body).prefix(8).hexadecimal
        let told = [
            code, reason, "\(attempts)", "\(replays)", firstFailureAt, lastFailureAt, worker,
        ]
        let head = told.joined(separator: "\u{0}") + "\u{0}"
        id =
            message.deadLetterID
            ?? Digest.sha256(Array(head.utf8) + message.body).prefix(16).hexadecimal
    }

    /// As one line, for programs.
    package var json: String {
        get throws { try JSONEncoder.api.text(self) }
    }

    private enum CodingKeys: String, CodingKey {
        case id, conversationID = "conversationId", userID = "userId", messageID = "messageId"
        case code, reason, attempts, replays, firstFailureAt, lastFailureAt, worker, bodyBytes
        case bodySHA256 = "bodySha256", copies, state, settledAt
    }
}

/// The two members of a body that say whose dead letter it is; nil where it does not say. Anything
/// else in the body stays unread.
struct DeadLetterMembers {
    private(set) var conversationID: String?
    private(set) var userID: String?

    init(body: [UInt8]) {
        do throws(JSONReader.Malformed) {
            self = try JSONReader.read(body) { json throws(JSONReader.Malformed) in
                try DeadLetterMembers(reading: &json)
            }
        } catch {
            // A bad body is why many dead letters are here.
            (conversationID, userID) = (nil, nil)
        }
    }

    private init(reading json: inout JSONReader) throws(JSONReader.Malformed) {
        guard json.nextKind() == .object else {
            try json.skip()
            return
        }
        try json.enter()
        while let key = try json.nextKey() {
            // Of several members with one name the first counts.
            if conversationID == nil, try key.equals("conversation_id"), json.nextKind() == .string
            {
                conversationID = try json.readText().string
            } else if userID == nil, try key.equals("user_id"), json.nextKind() == .string {
                userID = try json.readText().string
            } else {
                try json.skip()
            }
        }
    }
}
