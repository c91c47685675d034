import Foundation
import WorkerRuntime

/// What a message says: which conversation to score. Other members are legal and ignored; the row
/// in the database is the truth, not the copy in the message.
struct ConversationReference: Equatable {
    let conversationID: ExactText

    /// The width of the column, in characters.
    private static let longestID = 255

    /// - Throws: a `Failure` with code INVALID_MESSAGE whose reason quotes nothing of the body.
    init(body: [UInt8]) throws(Failure) {
        // The decoder would take UTF-16 and UTF-32, too, if it had to guess.
        guard let text = String(validating: body, as: UTF8.self) else {
            throw .invalidMessage("the body is not UTF-8")
        }
        let members: Members
        do {
            members = try JSONDecoder().decode(Members.self, from: Data(text.utf8))
        } catch DecodingError.keyNotFound {
            throw .invalidMessage("there is no conversation_id")
        } catch DecodingError.valueNotFound(_, let context) where !context.codingPath.isEmpty {
            throw .invalidMessage("conversation_id is null")
        } catch DecodingError.typeMismatch(_, let context) where !context.codingPath.isEmpty {
            throw .invalidMessage("conversation_id is not a string")
        } catch DecodingError.typeMismatch, DecodingError.valueNotFound {
            throw .invalidMessage("the body is not a JSON object")
        } catch {
            throw .invalidMessage("the body is not readable JSON (or nested too deeply)")
        }
        let id = members.conversation_id
        if id.isEmpty { throw .invalidMessage("conversation_id is empty") }
        if id.unicodeScalars.count > Self.longestID {
            throw .invalidMessage("conversation_id is longer than \(Self.longestID) characters")
        }
        if id.unicodeScalars.contains("\0") {
            throw .invalidMessage("conversation_id holds a NUL character")
        }
        conversationID = ExactText(id)
    }

    private struct Members: Decodable {
        var conversation_id: String
    }
}

extension Failure {
    fileprivate static func invalidMessage(_ reason: String) -> Failure {
        Failure(code: "INVALID_MESSAGE", reason: reason)
    }
}
