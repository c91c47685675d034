import Foundation
import HTTPCalling
import Testing

struct RetryAfterTests {
    /// 2026-01-01T10:00:00Z
    private let now = Date(timeIntervalSince1970: 1_767_261_600)

    @Test(arguments: [
        ("0", 0.0), ("7", 7), (" 1.5 ", 1.5), ("Thu, 01 Jan 2026 10:00:30 GMT", 30),
        ("Thursday, 01-Jan-26 10:01:00 GMT", 60), ("Thu Jan  1 10:00:05 2026", 5),
        ("Wed, 31 Dec 2025 10:00:00 GMT", 0), ("99999999999999999999", 315_360_000),
    ])
    func readsSecondsAndDates(text: String, seconds: Double) throws {
        let delay = try #require(RetryAfter.delay(text, at: now))
        #expect(abs(delay / .seconds(1) - seconds) < 0.001)
    }

    @Test(arguments: ["", "soon", "-1", "nan", "inf", "1e999", "Thu, 99 Jan 2026 10:00:30 GMT"])
    func takesNothingElse(text: String) {
        #expect(RetryAfter.delay(text, at: now) == nil)
    }
}
