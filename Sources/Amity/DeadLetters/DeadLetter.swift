import Digests
import Foundation
import WorkerRuntime

/// A message in the dead-letter queue, as its headers describe it. The body is not part of it: it
/// may hold a child's conversation.
package struct DeadLetter: Sendable, Equatable, Encodable {
    /// Names it, also where it names no conversation: the same wherever and whenever it is read, and the
    /// same only for letters that do not differ.
    package var id: String
    /// nil when the body names none.
    package var conversationID: String?
    /// From the message, where its publisher put it there.
    package var userID: String?
    package var code: String
    package var reason: String
    package var attempts: Int
    /// How often it has been put back on the queue by `dead-letters retry`.
    package var replays: Int
    package var firstFailureAt: String
    package var lastFailureAt: String
    package var worker: String
    package var bodyBytes: Int

    package init(_ message: Message) {
        let headers = message.properties.headers
        func text(_ name: String) -> String {
            if case .string(let text) = headers[name] { text } else { "" }
        }
        func count(_ name: String) -> Int {
            if case .integer(let count) = headers[name] { Int(clamping: count) } else { 0 }
        }
        let members = Members(body: message.body)
        conversationID = members?.conversation_id
        userID = members?.user_id
        code = text(RetryPolicy.Header.code)
        reason = text(RetryPolicy.Header.reason)
        attempts = count(RetryPolicy.Header.attempts)
        replays = count(RetryPolicy.Header.replays)
        firstFailureAt = text(RetryPolicy.Header.firstFailure)
        lastFailureAt = text(RetryPolicy.Header.lastFailure)
        worker = text(RetryPolicy.Header.worker)
        bodyBytes = message.body.count
        let told = [
            code, reason, "\(attempts)", "\(replays)", firstFailureAt, lastFailureAt, worker,
        ]
        let head = told.joined(separator: "\u{0}") + "\u{0}"
        id = Digest.sha256(Array(head.utf8) + message.body).prefix(16).hexadecimal
    }

    /// As one line, for programs.
    package var json: String {
        get throws { try JSONEncoder.amity.text(self) }
    }

    /// The two members that say whose letter it is. Anything else in the body stays unread.
    private struct Members: Decodable {
        var conversation_id: String?
        var user_id: String?

        init?(body: [UInt8]) {
            do {
                self = try JSONDecoder().decode(Members.self, from: Data(body))
            } catch {
                return nil  // A bad body is why many letters are here.
            }
        }

        init(from decoder: any Decoder) throws {
            let members = try decoder.container(keyedBy: Key.self)
            func text(_ key: Key) -> String? {
                do {
                    return try members.decodeIfPresent(String.self, forKey: key)
                } catch {
                    return nil  // Not a text: it names nobody.
                }
            }
            conversation_id = text(.conversation_id)
            user_id = text(.user_id)
        }

        private enum Key: String, CodingKey {
            case conversation_id, user_id
        }
    }
}

/// Which letters a command is about; all conditions must hold.
package struct DeadLetterFilter: Sendable {
    package var code: String?
    package var ids: Set<String> = []
    package var conversationIDs: Set<ExactText> = []
    package var user: ExactText?
    /// Conversations of `user` by the database, for letters that do not name their user.
    package var conversationsOfUser: Set<ExactText> = []
    /// Last failed before this instant.
    package var before: Date?
    /// Last failed at or after this instant.
    package var since: Date?

    package init() {}

    /// Whether it lets every letter through.
    package var isEmpty: Bool {
        code == nil && ids.isEmpty && conversationIDs.isEmpty && user == nil && before == nil
            && since == nil
    }

    package func matches(_ letter: DeadLetter) -> Bool {
        if let code, letter.code != code { return false }
        if !ids.isEmpty, !ids.contains(letter.id) { return false }
        // Byte for byte: a letter of another child must not be taken for this one's.
        let conversation = letter.conversationID.map(ExactText.init)
        if !conversationIDs.isEmpty, conversation.map(conversationIDs.contains) != true {
            return false
        }
        if let user, letter.userID.map(ExactText.init) != user,
            conversation.map(conversationsOfUser.contains) != true
        {
            return false
        }
        if before == nil && since == nil { return true }
        // ISO 8601 as the retry policy writes it; a letter of unknown age is of no age asked for.
        guard let failed = Self.date(letter.lastFailureAt) else { return false }
        return failed < (before ?? .distantFuture) && failed >= (since ?? .distantPast)
    }

    private static func date(_ text: String) -> Date? {
        do {
            return try Date(text, strategy: .iso8601)
        } catch {
            return nil
        }
    }
}
