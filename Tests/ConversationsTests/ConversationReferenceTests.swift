import Messaging
import Testing

@testable import Conversations

struct ConversationReferenceTests {
    private func reason(_ body: [UInt8]) -> String? {
        do throws(Failure) {
            _ = try ConversationReference(body: body)
            return nil
        } catch {
            return error.code == "INVALID_MESSAGE" ? error.reason : "code \(error.code)"
        }
    }

    @Test(arguments: [
        ("", "the body is not readable JSON (or nested too deeply)"),
        ("conversation", "the body is not readable JSON (or nested too deeply)"),
        (#"{"conversation_id": "a""#, "the body is not readable JSON (or nested too deeply)"),
        ("[1]", "the body is not a JSON object"),
        ("7", "the body is not a JSON object"),
        ("null", "the body is not a JSON object"),
        ("{}", "there is no conversation_id"),
        (#"{"conversation_id": null}"#, "conversation_id is null"),
        (#"{"conversation_id": 7}"#, "conversation_id is not a string"),
        (#"{"conversation_id": ["a"]}"#, "conversation_id is not a string"),
        (#"{"conversation_id": ""}"#, "conversation_id is empty"),
        (#"{"conversation_id": "\ud800"}"#, "the body is not readable JSON (or nested too deeply)"),
        (#"{"conversation_id": 7} x"#, "the body is not readable JSON (or nested too deeply)"),
        (#"{"conversation_id": 7, "conversation_id": "a"}"#, "conversation_id is not a string"),
        (
            #"{"conversation_id": "a", "extra": [1,]}"#,
            "the body is not readable JSON (or nested too deeply)"
        ),
        (
            #"{"conversation_id": "a", "\ud800": 1}"#,
            "the body is not readable JSON (or nested too deeply)"
        ),
        (#"{"conversation_id": "a\u0000b"}"#, "conversation_id holds a NUL character"),
    ])
    func refusesABadBodyWithItsReason(body: String, expected: String) {
        #expect(reason(Array(body.utf8)) == expected)
    }

    /// Faults: conversations of one user are scored side by side although the messages name him;
    /// or a body is refused, or read to its end, for the sake of a hint.
    @Test func aBodyMayNameItsUser() {
        func affinity(_ body: String) -> Int? {
            ConversationReference.affinity(of: Array(body.utf8))
        }
        let one = affinity(#"{"conversation_id": "a", "user_id": "u1"}"#)
        #expect(one != nil && one == affinity(#"{"user_id":"u\u0031","conversation_id":"b"}"#))
        #expect(one != affinity(#"{"conversation_id": "a", "user_id": "u2"}"#))
        #expect(one == affinity(#"{"user_id": "u1", "conversation_log": [{"te"#))
        let long = String(repeating: "x", count: 2000)
        for body in [
            "", "[", "7", #"{"conversation_id": "a"}"#, #"{"user_id": ""}"#,
            #"{"user_id": 7}"#, #"{"user_id": null}"#,
            #"{"user_id": "u"#, #"{"log": "\#(long)", "user_id": "u1"}"#,
        ] {
            #expect(affinity(body) == nil)
        }
        #expect(ConversationReference.affinity(of: [0x7B, 0xFF]) == nil)
    }

    @Test func refusesInvalidUTF8() {
        let body = Array(#"{"conversation_id": ""#.utf8) + [0xFF] + Array(#""}"#.utf8)
        #expect(reason(body) == "the body is not UTF-8")
        let nested = Array(#"{"conversation_id": "a", "extra": ["#.utf8) + [0xFF] + Array("]}".utf8)
        #expect(reason(nested) == "the body is not UTF-8")
        // JSON in UTF-16 is not what the contract says, either, though its bytes may be UTF-8.
        let utf16 = #"{"conversation_id": "a"}"#.utf16.flatMap { [UInt8($0 & 0xFF), 0] }
        #expect(reason(utf16) == "the body is not readable JSON (or nested too deeply)")
    }

    @Test func theLongestIDIsCountedInCharactersAsTheColumnDoes() {
        let longest = String(repeating: "ế", count: 255)
        #expect(reason(Array(#"{"conversation_id": "\#(longest)"}"#.utf8)) == nil)
        #expect(
            reason(Array(#"{"conversation_id": "\#(longest)x"}"#.utf8))
                == "conversation_id is longer than 255 characters"
        )
    }

    /// Fault: 10,000 brackets overflow the stack of a parser that recurses.
    @Test func depthDoesNotKill() {
        let deep = String(repeating: "[", count: 10_000) + String(repeating: "]", count: 10_000)
        let body = #"{"conversation_id": "a", "extra": \#(deep)}"#
        #expect(reason(Array(body.utf8)) != nil)
    }

    @Test(arguments: [
        #"{"conversation_id": "a", "user_id": 7, "bot_id": null, "enqueued_at": "never"}"#,
        #"{"conversation_log": [{"text": "\ud800"}], "conversation_id": "a"}"#,
        #" {"conversation_id" : "\u0061", "number": 1e999} "#,
        #"{"conversation\u005fid": "a", "conversation_id": "b"}"#,
        "\u{FEFF}{\"conversation_id\": \"a\"}",
    ])
    func ignoresTheOddestValuesOfOtherMembers(body: String) throws {
        #expect(try ConversationReference(body: Array(body.utf8)).conversationID == ExactText("a"))
    }
}
