import Foundation

/// Times of the wall clock that come again and again, as the five fields of cron say: minute, hour,
/// day of the month, month, day of the week. Knows no time zone.
///
/// As in Vixie cron, where both days are restricted either is enough; a field that begins with `*`
/// counts as no restriction in this sense.
package struct CronExpression: Sendable {
    /// Why a text is no expression. It quotes nothing of it.
    package struct Invalid: Error, Equatable, Sendable, CustomStringConvertible {
        package let description: String
    }

    private let minutes: NumberSet
    private let hours: NumberSet
    private let days: NumberSet
    private let months: NumberSet
    private let weekdays: NumberSet
    private let isEitherDayEnough: Bool

    package init(_ text: String) throws(Invalid) {
        let fields = try CronFields(text)
        (minutes, hours, days) = (fields.minutes, fields.hours, fields.days)
        (months, weekdays) = (fields.months, fields.weekdays)
        isEitherDayEnough = fields.isDayRestricted && fields.isWeekdayRestricted
        if next(from: 0) == nil {
            throw Invalid(description: "names days that no year has, such as 31 February")
        }
    }

    /// Whether it is due in every hour of its days.
    var isOfEveryHour: Bool { (0..<24).allSatisfy(hours.contains) }

    /// - Parameter minute: of the wall clock, since 1970-01-01 00:00 there.
    /// - Returns: the first one, from `minute` on, that is due; nil where there is none.
    func next(from minute: Int) -> Int? {
        var day = CalendarDay(Int((Double(minute) / Self.minutesOfDay).rounded(.down)))
        var start = minute - day.number * Int(Self.minutesOfDay)
        let end = day.number + Self.cycle
        while day.number <= end {
            if !months.contains(day.month) {
                day.advanceToNextMonth()
            } else {
                if isDue(on: day), let found = minuteOfDay(from: start) {
                    return day.number * Int(Self.minutesOfDay) + found
                }
                day.advance()
            }
            start = 0
        }
        return nil
    }

    private static let minutesOfDay = 1440.0
    /// After 400 years the calendar repeats itself, days of the week included.
    private static let cycle = 146_097

    private func isDue(on day: CalendarDay) -> Bool {
        let (isDay, isWeekday) = (days.contains(day.day), weekdays.contains(day.weekday))
        return isEitherDayEnough ? isDay || isWeekday : isDay && isWeekday
    }

    /// The first minute of a day, from `start` on, that is due.
    private func minuteOfDay(from start: Int) -> Int? {
        for hour in start / 60..<24 where hours.contains(hour) {
            let first = hour == start / 60 ? start % 60 : 0
            if let minute = (first..<60).first(where: minutes.contains) {
                return hour * 60 + minute
            }
        }
        return nil
    }
}

/// Numbers from 0 to 63.
struct NumberSet: Equatable, Sendable {
    private var bits: UInt64 = 0

    func contains(_ number: Int) -> Bool { bits & 1 << UInt64(number) != 0 }

    mutating func insert(_ number: Int) { bits |= 1 << UInt64(number) }
}

/// A day of the Gregorian calendar.
struct CalendarDay {
    /// Since 1970-01-01.
    private(set) var number: Int
    private(set) var month: Int
    private(set) var day: Int
    private var year: Int

    private static let calendar = {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        return calendar
    }()

    init(_ number: Int) {
        self.number = number
        let date = Date(timeIntervalSince1970: Double(number) * 86_400)
        let parts = Self.calendar.dateComponents([.year, .month, .day], from: date)
        (year, month, day) = (parts.year ?? 1970, parts.month ?? 1, parts.day ?? 1)
    }

    /// From Sunday on; 1970 began on a Thursday.
    var weekday: Int { ((number + 4) % 7 + 7) % 7 }

    mutating func advance() {
        if day == daysInMonth { return advanceToNextMonth() }
        number += 1
        day += 1
    }

    mutating func advanceToNextMonth() {
        number += daysInMonth - day + 1
        day = 1
        year += month / 12
        month = month % 12 + 1
    }

    private var daysInMonth: Int {
        let isLeap = year % 4 == 0 && year % 100 != 0 || year % 400 == 0
        return switch month {
        case 2: isLeap ? 29 : 28
        case 4, 6, 9, 11: 30
        case _: 31
        }
    }
}
