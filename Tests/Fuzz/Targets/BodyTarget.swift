import Foundation
import Messaging

@testable import Conversations
@testable import DeadLetters

/// A message's body means what it meant when Foundation read it, or is no JSON.
func fuzzBody(_ bytes: UnsafeRawBufferPointer) {
    let body = Array(bytes)
    // The dead letter's reader knows no JSON of its own; it must take anything.
    _ = DeadLetter(Message(body: body))
    let ours = answer { () throws(Failure) in
        try ConversationReference(body: body).conversationID.text
    }
    guard String(validating: body, as: UTF8.self) != nil else {
        return expect(ours == "the body is not UTF-8", "not UTF-8 reads \(ours)")
    }
    if ours == unreadable {
        expect(
            JSONOracle.isOtherEncoding(bytes) || !JSONOracle.isSurelyJSON(bytes),
            "a body that is JSON is refused"
        )
        return
    }
    expect(!JSONOracle.isOtherEncoding(bytes), "a body with a zero byte is taken for JSON")
    expect(ours == foundations(body), "\(ours) instead of \(foundations(body))")
}

private let unreadable = "the body is not readable JSON (or nested too deeply)"

/// The id, marked, or the reason for there being none.
private func answer(_ read: () throws(Failure) -> String) -> String {
    do throws(Failure) {
        return "id \(try read().unicodeScalars.map(\.value))"
    } catch {
        return error.reason
    }
}

/// The answer of the reader that was ours before, on top of `JSONDecoder`.
private func foundations(_ body: [UInt8]) -> String {
    struct Members: Decodable {
        var conversation_id: String
    }
    let id: String
    do {
        id = try JSONDecoder().decode(Members.self, from: Data(body)).conversation_id
    } catch DecodingError.keyNotFound {
        return "there is no conversation_id"
    } catch DecodingError.valueNotFound(_, let context) where !context.codingPath.isEmpty {
        return "conversation_id is null"
    } catch DecodingError.typeMismatch(_, let context) where !context.codingPath.isEmpty {
        return "conversation_id is not a string"
    } catch DecodingError.typeMismatch, DecodingError.valueNotFound {
        return "the body is not a JSON object"
    } catch {
        return unreadable
    }
    if id.isEmpty { return "conversation_id is empty" }
    if id.unicodeScalars.count > 255 { return "conversation_id is longer than 255 characters" }
    if id.unicodeScalars.contains("\0") { return "conversation_id holds a NUL character" }
    return answer { () throws(Failure) in id }
}
