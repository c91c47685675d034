import JSONReading
import WorkerRuntime

/// What a message says: which conversation to score. Other members are legal and ignored; the row
/// in the database is the truth, not the copy in the message.
struct ConversationReference: Equatable {
    let conversationID: ExactText

    /// The width of the column, in characters.
    private static let longestID = 255

    /// - Throws: a `Failure` with code INVALID_MESSAGE whose reason quotes nothing of the body.
    init(body: [UInt8]) throws(Failure) {
        let member: Member
        do throws(JSONReader.Malformed) {
            member = try Member.conversationID(in: body)
        } catch {
            let isUTF8 = String(validating: body, as: UTF8.self) != nil
            throw .invalidMessage(
                isUTF8
                    ? "the body is not readable JSON (or nested too deeply)"
                    : "the body is not UTF-8"
            )
        }
        guard case .text(let id) = member else { throw .invalidMessage(member.complaint) }
        if id.isEmpty { throw .invalidMessage("conversation_id is empty") }
        if id.unicodeScalars.count > Self.longestID {
            throw .invalidMessage("conversation_id is longer than \(Self.longestID) characters")
        }
        if id.unicodeScalars.contains("\0") {
            throw .invalidMessage("conversation_id holds a NUL character")
        }
        conversationID = ExactText(id)
    }
}

/// What a body has for a `conversation_id`.
private enum Member {
    case noObject, absent, null, otherType
    case text(String)

    static func conversationID(in body: [UInt8]) throws(JSONReader.Malformed) -> Member {
        try JSONReader.read(body) { json throws(JSONReader.Malformed) in
            guard json.nextKind() == .object else {
                try json.skip()
                return .noObject
            }
            var member = Member.absent
            try json.enter()
            while let key = try json.nextKey() {
                // Of several members with one name the first counts.
                if try key.equals("conversation_id"), case .absent = member {
                    member = try readValue(&json)
                } else {
                    try json.skip()
                }
            }
            return member
        }
    }

    private static func readValue(_ json: inout JSONReader) throws(JSONReader.Malformed) -> Member {
        switch json.nextKind() {
        case .string:
            guard let text = try json.readText().string else { throw JSONReader.Malformed() }
            return .text(text)
        case .null:
            try json.skip()
            return .null
        case .array, .object, .other:
            try json.skip()
            return .otherType
        }
    }

    /// What is wrong with anything but a text.
    var complaint: String {
        switch self {
        case .noObject: "the body is not a JSON object"
        case .absent: "there is no conversation_id"
        case .null: "conversation_id is null"
        case .otherType, .text: "conversation_id is not a string"
        }
    }
}

extension Failure {
    fileprivate static func invalidMessage(_ reason: String) -> Failure {
        Failure(code: "INVALID_MESSAGE", reason: reason)
    }
}
