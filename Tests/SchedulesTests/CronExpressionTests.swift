import Foundation
import Testing

@testable import Schedules

struct CronExpressionTests {
    /// The next times in UTC, as `2026-03-29 02:30`.
    private func times(_ text: String, after start: String, _ count: Int = 3) throws -> [String] {
        let recurrence = Recurrence(try CronExpression(text), in: .gmt)
        var times: [String] = []
        var last = try Date("\(start)Z", strategy: Self.style.timeZone(separator: .omitted))
        while times.count < count, let next = recurrence.next(after: last) {
            times.append(next.formatted(Self.style))
            last = next
        }
        return times
    }

    private static let style = Date.ISO8601FormatStyle(timeZone: .gmt).year().month().day()
        .dateTimeSeparator(.space).time(includingFractionalSeconds: false)

    @Test(arguments: [
        ("30 2 * * *", "2026-01-01 02:30:00 2026-01-02 02:30:00"),
        ("*/20 3 * * *", "2026-01-01 03:00:00 2026-01-01 03:20:00 2026-01-01 03:40:00"),
        ("10-30/10,50 0 * * *", "2026-01-01 00:10:00 2026-01-01 00:20:00 2026-01-01 00:30:00"),
        ("0 12 * FEB,11 mon-Fri", "2026-02-02 12:00:00 2026-02-03 12:00:00"),
        ("0 0 * * 7", "2026-01-04 00:00:00 2026-01-11 00:00:00"),
        ("0 0 * * fri-sun", "2026-01-02 00:00:00 2026-01-03 00:00:00 2026-01-04 00:00:00"),
        ("0 0 29 2 *", "2028-02-29 00:00:00 2032-02-29 00:00:00"),
        ("  5\t4  * * *  ", "2026-01-01 04:05:00"),
        ("@hourly", "2026-01-01 01:00:00 2026-01-01 02:00:00"),
        ("@Daily", "2026-01-02 00:00:00"),
        ("@weekly", "2026-01-04 00:00:00"),
        ("@monthly", "2026-02-01 00:00:00"),
        ("@yearly", "2027-01-01 00:00:00"),
    ])
    func isDueWhenItsFieldsSay(text: String, expected: String) throws {
        let times = try times(text, after: "2026-01-01 00:00:00")
        #expect(times.joined(separator: " ").hasPrefix(expected), "\(times)")
    }

    /// As in Vixie cron: the 13th, and each Friday; but with `*` in one of them both must hold.
    @Test func eitherDayIsEnoughWhereBothAreRestricted() throws {
        #expect(
            try times("0 0 13 * fri", after: "2026-01-01 00:00:00", 4) == [
                "2026-01-02 00:00:00", "2026-01-09 00:00:00", "2026-01-13 00:00:00",
                "2026-01-16 00:00:00",
            ]
        )
        // Odd days that are Fridays.
        #expect(
            try times("0 0 */2 * fri", after: "2026-01-01 00:00:00", 3) == [
                "2026-01-09 00:00:00", "2026-01-23 00:00:00", "2026-02-13 00:00:00",
            ]
        )
    }

    /// A leap day that is a Sunday comes after 28 years, or after 40 around the year 2100.
    @Test func whatIsRareIsFound() throws {
        #expect(
            try times("0 0 29 2 */7", after: "2026-01-01 00:00:00", 4) == [
                "2032-02-29 00:00:00", "2060-02-29 00:00:00", "2088-02-29 00:00:00",
                "2128-02-29 00:00:00",
            ]
        )
    }

    @Test(arguments: [
        ("", "five fields"), ("* * * *", "five fields"), ("0 * * * * *", "five fields"),
        ("@reboot", "@hourly"), ("@daily 1", "five fields"),
        ("60 * * * *", "of the minute what is no number from 0 to 59"),
        ("* 24 * * *", "of the hour"), ("* * 0 * *", "from 1 to 31"),
        ("* * * 13 *", "from 1 to 12, nor jan to dec"), ("* * * * 8", "nor sun to sat"),
        ("* * * * mond", "day of the week"), ("-1 * * * *", "no number"),
        ("+1 * * * *", "no number"), ("1, * * * *", "no number"), ("1-2-3 * * * *", "two ends"),
        ("9-5 * * * *", "ends before it begins"), ("5/15 * * * *", "neither * nor a range"),
        ("*/0 * * * *", "a step"), ("*/60 * * * *", "from 1 to 59"), ("*/5/5 * * * *", "a step"),
        ("*/ * * * *", "a step"), ("99999999999999999999 * * * *", "no number"),
        ("0 0 31 2 *", "31 February"), ("0 0 30 feb *", "31 February"),
        ("0 0 31 4,6,9,11 *", "31 February"),
    ])
    func whatIsNoneIsRefusedWithASentence(text: String, words: String) {
        let refusal = #expect(throws: CronExpression.Invalid.self) { try CronExpression(text) }
        #expect(refusal?.description.contains(words) == true, "\(refusal?.description ?? "")")
    }

    /// The 31st of months that have none, but a day of the week that all have.
    @Test func aRestrictedWeekdayMakesAnImpossibleDayPossible() throws {
        #expect(
            try times("0 0 31 2 mon", after: "2026-01-01 00:00:00", 1) == ["2026-02-02 00:00:00"]
        )
    }
}
