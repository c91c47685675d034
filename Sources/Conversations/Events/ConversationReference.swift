import JSON
import Messaging

/// What a message says: which conversation to score. Other members are legal and ignored, but
/// for a hint at the user; the row in the database is the truth, not the copy in the message.
struct ConversationReference: Equatable {
    let conversationID: ExactText
    /// When the message says that it was published, in seconds since 1970; nil when it does not.
    let enqueuedAt: Double?

    /// The width of the column, in characters.
    private static let longestID = 255

    /// - Throws: a `Failure` with code INVALID_MESSAGE whose reason quotes nothing of the body.
    init(body: [UInt8]) throws(Failure) {
        let members: Members
        do throws(JSONReader.Malformed) {
            members = try Members(in: body)
        } catch {
            let isUTF8 = String(validating: body, as: UTF8.self) != nil
            throw .invalidMessage(
                isUTF8
                    ? "the body is not readable JSON (or nested too deeply)"
                    : "the body is not UTF-8"
            )
        }
        guard case .text(let id) = members.conversationID else {
            throw .invalidMessage(members.conversationID.complaint)
        }
        if id.isEmpty { throw .invalidMessage("conversation_id is empty") }
        if id.unicodeScalars.count > Self.longestID {
            throw .invalidMessage("conversation_id is longer than \(Self.longestID) characters")
        }
        if id.unicodeScalars.contains("\0") {
            throw .invalidMessage("conversation_id holds a NUL character")
        }
        conversationID = ExactText(id)
        enqueuedAt = members.enqueuedAt
    }
}

extension ConversationReference {
    /// Bytes. Chosen: publishers put the log last.
    private static let glance = 1024

    /// - Returns: the same for bodies that name the same user; nil for one that names none.
    static func affinity(of body: [UInt8]) -> Int? {
        var user: String?
        do throws(JSONReader.Malformed) {
            try JSONReader.read(body.prefix(glance)) { json throws(JSONReader.Malformed) in
                guard json.nextKind() == .object else { return }
                try json.enter()
                while let key = try json.nextKey() {
                    if try key.equals("user_id"), json.nextKind() == .string {
                        user = try json.readText().string
                        return
                    }
                    try json.skip()
                }
            }
        } catch {
            // What follows the user is not read, and what is wrong is for the handler to say.
        }
        return user.flatMap { $0.isEmpty ? nil : $0.hashValue }
    }
}

/// The members of a body that are looked at.
private struct Members {
    var conversationID = Member.absent
    var enqueuedAt: Double?

    init(in body: [UInt8]) throws(JSONReader.Malformed) {
        self = try JSONReader.read(body) { json throws(JSONReader.Malformed) in
            try Members(reading: &json)
        }
    }

    private init(reading json: inout JSONReader) throws(JSONReader.Malformed) {
        guard json.nextKind() == .object else {
            conversationID = .noObject
            try json.skip()
            return
        }
        try json.enter()
        while let key = try json.nextKey() {
            // Of several members with one name the first counts.
            if try key.equals("conversation_id"), case .absent = conversationID {
                conversationID = try Member(reading: &json)
            } else if enqueuedAt == nil, try key.equals("enqueued_at"), json.nextKind() == .string {
                // Whatever it says, it spoils nothing: it is for our figures only.
                enqueuedAt = try json.readText().string.flatMap(PublishTime.seconds)
            } else {
                try json.skip()
            }
        }
    }
}

/// What a body has for a `conversation_id`.
private enum Member {
    case noObject, absent, null, otherType
    case text(String)

    init(reading json: inout JSONReader) throws(JSONReader.Malformed) {
        switch json.nextKind() {
        case .string:
            guard let text = try json.readText().string else { throw JSONReader.Malformed() }
            self = .text(text)
        case .null:
            try json.skip()
            self = .null
        case .array, .object, .other:
            try json.skip()
            self = .otherType
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
