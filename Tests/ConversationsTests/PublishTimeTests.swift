import Foundation
import Messaging
import Testing

@testable import Conversations

struct PublishTimeTests {
    @Test(arguments: [
        ("1970-01-01T00:00:00", 0), ("2026-03-01T10:20:30", 1_772_360_430),
        ("2026-03-01T10:20:30Z", 1_772_360_430), ("2026-03-01 10:20:30.25", 1_772_360_430.25),
        ("2026-03-01T10:20:30.123456", 1_772_360_430.123456),
        ("2026-03-01T17:20:30.5+07:00", 1_772_360_430.5),
        ("2026-03-01T07:50:30-0230", 1_772_360_430), ("2024-02-29T23:59:60Z", 1_709_251_200),
    ])
    func aTimeIsReadInItsZone(text: String, seconds: Double) throws {
        let read = try #require(PublishTime.seconds(text))
        #expect(abs(read - seconds) < 1e-6)
    }

    @Test(arguments: [
        "", "now", "2026-03-01", "2026-03-01T10:20", "2026-3-1T10:20:30", "2026-13-01T10:20:30",
        "2026-03-01T24:20:30", "2026-03-01T10:20:30.", "2026-03-01T10:20:30+",
        "-026-03-01T10:20:30",
        "2026-03-01T10:20:30 UTC", "２026-03-01T10:20:30",
    ])
    func whatIsNoTimeIsNone(text: String) {
        #expect(PublishTime.seconds(text) == nil)
    }

    @Test func itAgreesWithFoundationOnEveryDayOfFourCenturies() throws {
        let style = Date.ISO8601FormatStyle()
        for day in stride(from: -40_000, to: 106_000, by: 1) {
            let date = Date(timeIntervalSince1970: Double(day) * 86400 + 3723)
            if PublishTime.seconds(date.formatted(style)) != date.timeIntervalSince1970 {
                Issue.record("\(date)")
                break
            }
        }
    }

    /// It is there for a figure: whatever is in it, the message counts.
    @Test(arguments: [
        (#"{"enqueued_at": "1970-01-01T00:01:00", "conversation_id": "a"}"#, 60),
        (#"{"conversation_id": "a", "enqueued_at": "\u0031970-01-01T00:01:00"}"#, 60),
        (#"{"conversation_id": "a", "enqueued_at": "soon"}"#, nil),
        (#"{"conversation_id": "a", "enqueued_at": {"x": ["1970-01-01T00:01:00"]}}"#, nil),
        (#"{"conversation_id": "a", "enqueued_at": 7}"#, nil),
        (#"{"conversation_id": "a", "enqueued_at": "\ud800"}"#, nil),
        (#"{"conversation_id": "a"}"#, nil),
    ])
    func aMessageSaysWhenItWasPublished(body: String, seconds: Double?) throws {
        let reference = try ConversationReference(body: Array(body.utf8))
        #expect(reference.conversationID == ExactText("a"))
        #expect(reference.enqueuedAt == seconds)
    }
}
