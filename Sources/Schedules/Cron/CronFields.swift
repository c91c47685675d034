/// The five fields of an expression as sets.
struct CronFields {
    private(set) var minutes = NumberSet()
    private(set) var hours = NumberSet()
    private(set) var days = NumberSet()
    private(set) var months = NumberSet()
    /// From Sunday, 0, to Saturday, 6.
    private(set) var weekdays = NumberSet()
    let isDayRestricted: Bool
    let isWeekdayRestricted: Bool

    private static let shortcuts = [
        "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *",
        "@weekly": "0 0 * * 0", "@daily": "0 0 * * *", "@midnight": "0 0 * * *",
        "@hourly": "0 * * * *",
    ]

    init(_ text: String) throws(CronExpression.Invalid) {
        let words = text.lowercased().split(whereSeparator: \.isWhitespace)
        let expanded = words.first.flatMap { Self.shortcuts[String($0)] }
        let fields = words.count == 1 ? expanded?.split(separator: " ") ?? words : words
        guard fields.count == 5 else {
            throw .init(
                description: """
                    has five fields: minute, hour, day of the month, month, day of the week; or is \
                    one of \(Self.shortcuts.keys.sorted().joined(separator: ", "))
                    """
            )
        }
        minutes = try CronField.minute.set(fields[0])
        hours = try CronField.hour.set(fields[1])
        days = try CronField.day.set(fields[2])
        months = try CronField.month.set(fields[3])
        weekdays = try CronField.weekday.set(fields[4])
        isDayRestricted = !fields[2].hasPrefix("*")
        isWeekdayRestricted = !fields[4].hasPrefix("*")
    }
}

/// What may stand in a field.
private struct CronField {
    let name: String
    let range: ClosedRange<Int>
    /// Of the numbers from the range's first on.
    var names: [Substring] = []

    static let minute = CronField(name: "minute", range: 0...59)
    static let hour = CronField(name: "hour", range: 0...23)
    static let day = CronField(name: "day of the month", range: 1...31)
    static let month = CronField(
        name: "month",
        range: 1...12,
        names: [
            "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        ]
    )
    /// 7 is Sunday, too.
    static let weekday = CronField(
        name: "day of the week",
        range: 0...7,
        names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
    )

    func set(_ text: Substring) throws(CronExpression.Invalid) -> NumberSet {
        var numbers = NumberSet()
        for item in text.split(separator: ",", omittingEmptySubsequences: false) {
            let parts = item.split(separator: "/", omittingEmptySubsequences: false)
            let range = try span(parts[0])
            if parts.count == 1 {
                for number in range { insert(number, in: &numbers) }
                continue
            }
            if parts.count > 2 || !parts[0].contains("-") && parts[0] != "*" {
                throw invalid("a step that follows neither * nor a range")
            }
            guard let step = Self.digits(parts[1]), (1...self.range.upperBound).contains(step)
            else { throw invalid("a step that is no number from 1 to \(self.range.upperBound)") }
            for number in stride(from: range.lowerBound, through: range.upperBound, by: step) {
                insert(number, in: &numbers)
            }
        }
        return numbers
    }

    private func insert(_ number: Int, in numbers: inout NumberSet) {
        // Only the day of the week begins at 0 and ends at 7.
        numbers.insert(range == 0...7 ? number % 7 : number)
    }

    private func span(_ text: Substring) throws(CronExpression.Invalid) -> ClosedRange<Int> {
        if text == "*" { return range }
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count <= 2 else { throw invalid("a range with more than two ends") }
        let first = try number(ends[0])
        guard ends.count == 2 else { return first...first }
        var last = try number(ends[1])
        // From Friday to Sunday.
        if range == 0...7, last == 0, first > 0 { last = 7 }
        guard first <= last else { throw invalid("a range that ends before it begins") }
        return first...last
    }

    private func number(_ text: Substring) throws(CronExpression.Invalid) -> Int {
        if let index = names.firstIndex(of: text) { return range.lowerBound + index }
        guard let number = Self.digits(text), range.contains(number) else {
            let more = names.isEmpty ? "" : ", nor \(names[0]) to \(names[names.count - 1])"
            throw invalid(
                "what is no number from \(range.lowerBound) to \(range.upperBound)\(more)"
            )
        }
        return number
    }

    private static func digits(_ text: Substring) -> Int? {
        text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            ? Int(text) : nil
    }

    private func invalid(_ what: String) -> CronExpression.Invalid {
        .init(description: "has in its field of the \(name) \(what)")
    }
}
