import Foundation
import Testing

@testable import ConversationIntake

struct IntakeTimeTests {
    /// Fault: a time that the replaced service took is refused, or is another instant.
    @Test(arguments: try Golden.lines("times", as: Case.self))
    func isReadAsPydanticReadsIt(_ expected: Case) {
        do throws(IntakeTime.Malformed) {
            let time = try IntakeTime(text: expected.text)
            #expect(time.text == expected.time)
        } catch {
            #expect(expected.time == nil)
            #expect(error.type == expected.type)
            #expect(error.message == expected.message)
        }
    }

    struct Case: Decodable, Sendable {
        var text: String
        var time: String?
        var type: String?
        var message: String?
    }

    @Test(arguments: [
        (0, "1970-01-01T00:00:00Z"), (-1, "1969-12-31T23:59:59.999999Z"),
        (951_782_400_000_000, "2000-02-29T00:00:00Z"), (1_000_000, "1970-01-01T00:00:01Z"),
        (-62_135_596_800_000_000, "0001-01-01T00:00:00Z"),
        (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
    ])
    func isWrittenInUTCWithAZ(microseconds: Int, text: String) throws {
        let time = try #require(IntakeTime(microseconds: microseconds))
        #expect(time.text == text)
        #expect(try IntakeTime(text: text) == time)
    }

    @Test func noYearIsBelow1OrAbove9999() {
        #expect(IntakeTime(microseconds: -62_135_596_800_000_001) == nil)
        #expect(IntakeTime(microseconds: 253_402_300_800_000_000) == nil)
        // Legal in its zone, in the year 0 by UTC.
        #expect(throws: IntakeTime.Malformed.of(time: "year 0 is out of range")) {
            try IntakeTime(text: "0001-01-01T00:00:00+14:00")
        }
    }
}
