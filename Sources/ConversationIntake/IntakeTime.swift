import Messaging

/// An instant of a request, to the microsecond: years 1 to 9999 in UTC.
struct IntakeTime: Equatable, Comparable, Sendable {
    /// Since 1970-01-01T00:00:00Z.
    let microseconds: Int

    private static let inADay = 86_400_000_000
    private static let legal =
        PublishTime.days(1, 1, 1) * inADay..<PublishTime.days(10000, 1, 1) * inADay

    /// - Returns: nil for an instant that is in no year from 1 to 9999.
    init?(microseconds: Int) {
        guard Self.legal.contains(microseconds) else { return nil }
        self.microseconds = microseconds
    }

    static func < (lhs: Self, rhs: Self) -> Bool { lhs.microseconds < rhs.microseconds }

    /// As the replaced service's answers have it: ISO 8601 in UTC with a Z, and six digits of a
    /// fraction or none.
    var text: String {
        func padded(_ number: Int, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let (day, time) = Self.split(microseconds, by: Self.inADay)
        let (seconds, fraction) = (time / 1_000_000, time % 1_000_000)
        let (year, month, dayOfMonth) = Self.date(day)
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(dayOfMonth, 2))T"
            + "\(padded(seconds / 3600, 2)):\(padded(seconds / 60 % 60, 2)):"
            + padded(seconds % 60, 2) + (fraction == 0 ? "" : ".\(padded(fraction, 6))") + "Z"
    }

    /// Quotient and remainder, the latter never below zero.
    private static func split(_ number: Int, by divisor: Int) -> (Int, Int) {
        let (quotient, rest) = number.quotientAndRemainder(dividingBy: divisor)
        return rest < 0 ? (quotient - 1, rest + divisor) : (quotient, rest)
    }

    /// The inverse of `PublishTime.days`, Howard Hinnant's `civil_from_days`.
    private static func date(_ days: Int) -> (year: Int, month: Int, day: Int) {
        let (era, dayOfEra) = split(days + 719_468, by: 146_097)
        let leapDays = dayOfEra / 1460 - dayOfEra / 36_524 + dayOfEra / 146_096
        let yearOfEra = (dayOfEra - leapDays) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        return (
            yearOfEra + era * 400 + (month >= 10 ? 1 : 0), month < 10 ? month + 3 : month - 9,
            dayOfYear - (153 * month + 2) / 5 + 1
        )
    }
}

// MARK: - Numbers

extension IntakeTime {
    /// Why something is no time, in pydantic's words.
    struct Malformed: Error, Equatable {
        /// pydantic's name of the error.
        var type: String
        /// Behind its message; nil for one that says all.
        var detail: String?

        static let noTime = Malformed(type: "datetime_type")

        static func of(time detail: String) -> Malformed {
            Malformed(type: "datetime_parsing", detail: detail)
        }

        static func of(date detail: String) -> Malformed {
            Malformed(type: "datetime_from_date_parsing", detail: detail)
        }

        var message: String {
            let what = type == "datetime_from_date_parsing" ? "datetime or date" : "datetime"
            return "Input should be a valid \(what)" + (detail.map { ", \($0)" } ?? "")
        }
    }

    /// Seconds since 1970, or milliseconds where they are more than this, as pydantic guesses.
    private static let mostSeconds = 20_000_000_000.0
    private static let inASecond = 1_000_000

    /// - Parameter number: a number as JSON has it.
    init(number: String) throws(Malformed) {
        let microseconds = try Self.microseconds(number, isText: false)
        guard let time = microseconds.flatMap(IntakeTime.init(microseconds:)) else {
            throw .of(time: "year 0 is out of range")
        }
        self = time
    }

    /// - Returns: nil for what is no number.
    private static func microseconds(_ text: String, isText: Bool) throws(Malformed) -> Int? {
        let whole = Int(text)
        guard let number = whole.map(Double.init) ?? Double(text) else { return nil }
        let isMilliseconds = number.magnitude > mostSeconds
        // Of the years 0 to 9999; a number in reach of an Int after this.
        let seconds = isMilliseconds ? number / 1000 : number
        if seconds >= 253_402_300_800 {
            throw malformed("dates after 9999 are not supported as unix timestamps", isText)
        }
        if seconds < -62_167_219_200 {
            throw malformed("dates before 0000 are not supported as unix timestamps", isText)
        }
        let unit = isMilliseconds ? 1000 : inASecond
        if let whole { return whole * unit }
        let fraction = number.truncatingRemainder(dividingBy: 1)
        return Int(number - fraction) * unit + Int((fraction * Double(unit)).rounded())
    }

    private static func malformed(_ detail: String, _ isText: Bool) -> Malformed {
        isText ? .of(date: detail) : .of(time: detail)
    }
}

// MARK: - Texts

extension IntakeTime {
    /// What pydantic takes for a datetime: RFC 3339 and its looser forms, without zone for UTC; a
    /// date; or a number.
    init(text: String) throws(Malformed) {
        var reader = TimeReader(text)
        if let time = reader.time() {
            self = try Self.inRange(time)
        } else if TimeReader.isNumber(text), let number = try Self.microseconds(text, isText: true)
        {
            self = try Self.inRange(number)
        } else {
            self = try Self.inRange(try TimeReader.date(text))
        }
    }

    private static func inRange(_ microseconds: Int) throws(Malformed) -> IntakeTime {
        guard let time = IntakeTime(microseconds: microseconds) else {
            throw .of(
                time: microseconds < 0 ? "year 0 is out of range" : "year 10000 is out of range"
            )
        }
        return time
    }
}

/// Reads one time from its text, digit by digit.
private struct TimeReader {
    private var text: Substring.UTF8View

    init(_ text: String) { self.text = text.utf8[...] }

    /// Microseconds since 1970; nil for another form.
    mutating func time() -> Int? {
        guard let year = number(4), skip("-"), let month = number(2), skip("-"),
            let day = number(2), Self.isDate(month, day, of: year),
            skip("T") || skip("t") || skip(" ") || skip("_"),
            let hour = number(2), hour < 24, skip(":"), let minute = number(2), minute < 60,
            let (second, fraction) = seconds(), let offset = zone(), text.isEmpty
        else { return nil }
        let time = (hour * 60 + minute) * 60 + second - offset
        return (PublishTime.days(year, month, day) * 86_400 + time) * 1_000_000 + fraction
    }

    /// Midnight of a date, or why the text is none: in this order, whatever else may be wrong.
    static func date(_ text: String) throws(IntakeTime.Malformed) -> Int {
        if text.utf8.count < 10 { throw .of(date: "input is too short") }
        var reader = TimeReader(text)
        let separator = "invalid date separator, expected `-`"
        guard let year = reader.number(4) else { throw .of(date: "invalid character in year") }
        guard reader.skip("-") else { throw .of(date: separator) }
        guard let month = reader.number(2) else { throw .of(date: "invalid character in month") }
        guard reader.skip("-") else { throw .of(date: separator) }
        guard let day = reader.number(2) else { throw .of(date: "invalid character in day") }
        guard (1...12).contains(month) else {
            throw .of(date: "month value is outside expected range of 1-12")
        }
        guard isDate(month, day, of: year) else {
            throw .of(date: "day value is outside expected range")
        }
        guard reader.text.isEmpty else {
            throw .of(date: "unexpected extra characters at the end of the input")
        }
        return PublishTime.days(year, month, day) * 86_400_000_000
    }

    /// A sign, digits and a point, at least one digit among them.
    static func isNumber(_ text: String) -> Bool {
        text.wholeMatch(of: /[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)/) != nil
    }

    private static func isDate(_ month: Int, _ day: Int, of year: Int) -> Bool {
        guard (1...12).contains(month), day >= 1 else { return false }
        let (next, yearOfNext) = month == 12 ? (1, year + 1) : (month + 1, year)
        return day <= PublishTime.days(yearOfNext, next, 1) - PublishTime.days(year, month, 1)
    }

    /// Seconds and microseconds, none where the minute is the end. Digits behind the sixth are cut.
    private mutating func seconds() -> (Int, Int)? {
        guard skip(":") else { return (0, 0) }
        guard let second = number(2), second < 60 else { return nil }
        guard skip(".") || skip(",") else { return (second, 0) }
        guard var fraction = number(1) else { return nil }
        for _ in 1..<6 { fraction = fraction * 10 + (number(1) ?? 0) }
        while number(1) != nil {}
        return (second, fraction)
    }

    /// Seconds east of Greenwich.
    private mutating func zone() -> Int? {
        if text.isEmpty || skip("Z") || skip("z") { return 0 }
        let isWest = skip("-") || skip("\u{2212}")
        guard isWest || skip("+"), let hours = number(2), hours < 24 else { return nil }
        _ = skip(":")
        guard let minutes = number(2), minutes < 60 else { return nil }
        return (hours * 60 + minutes) * (isWest ? -60 : 60)
    }

    private mutating func skip(_ character: Character) -> Bool {
        guard text.starts(with: character.utf8) else { return false }
        text = text.dropFirst(character.utf8.count)
        return true
    }

    /// So many digits; none is taken where there are fewer.
    private mutating func number(_ count: Int) -> Int? {
        var number = 0
        for byte in text.prefix(count) {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            number = number * 10 + Int(byte - UInt8(ascii: "0"))
        }
        guard text.count >= count else { return nil }
        text = text.dropFirst(count)
        return number
    }
}
