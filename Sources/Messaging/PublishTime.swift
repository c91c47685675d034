/// When a message says that it was published: ISO 8601, with a fraction or without, UTC where it
/// names no zone, as the Python service writes it.
package enum PublishTime {
    /// - Returns: seconds since 1970; nil for what is no such time.
    package static func seconds(_ text: String) -> Double? {
        var digits = Digits(text: text.utf8[...])
        guard let year = digits.number(4), digits.skip("-"), let month = digits.number(2),
            digits.skip("-"), let day = digits.number(2), digits.skip("T") || digits.skip(" "),
            let hour = digits.number(2), digits.skip(":"), let minute = digits.number(2),
            digits.skip(":"), let second = digits.number(2),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60
        else { return nil }
        let fraction = digits.skip(".") ? digits.fraction() : 0
        guard let fraction, let offset = digits.zone(), digits.text.isEmpty else { return nil }
        let time = (hour * 60 + minute) * 60 + second
        return Double(days(year, month, day) * 86400 + time - offset) + fraction
    }

    /// Days since 1970-01-01 in the Gregorian calendar, by Howard Hinnant's `days_from_civil`.
    package static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let year = month <= 2 ? year - 1 : year
        let era = year / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    private struct Digits {
        var text: Substring.UTF8View

        mutating func skip(_ character: Unicode.Scalar) -> Bool {
            guard text.first == UInt8(ascii: character) else { return false }
            text.removeFirst()
            return true
        }

        mutating func number(_ count: Int) -> Int? {
            var number = 0
            for _ in 0..<count {
                guard let digit = digit() else { return nil }
                number = number * 10 + digit
            }
            return number
        }

        /// At least one digit behind the point.
        mutating func fraction() -> Double? {
            guard let first = digit() else { return nil }
            var (fraction, weight) = (Double(first) / 10, 0.01)
            while let digit = digit() {
                fraction += Double(digit) * weight
                weight /= 10
            }
            return fraction
        }

        /// Seconds east of Greenwich.
        mutating func zone() -> Int? {
            if text.isEmpty || skip("Z") { return 0 }
            let isWest = skip("-")
            guard isWest || skip("+"), let hours = number(2) else { return nil }
            _ = skip(":")
            guard let minutes = text.isEmpty ? 0 : number(2) else { return nil }
            return (hours * 60 + minutes) * (isWest ? -60 : 60)
        }

        private mutating func digit() -> Int? {
            guard let byte = text.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            else { return nil }
            text.removeFirst()
            return Int(byte - UInt8(ascii: "0"))
        }
    }
}
