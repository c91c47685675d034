import Foundation
import TestSupport
import Testing

@testable import Schedules

struct RecurrenceTests {
    private func times(
        _ text: String,
        _ zone: String,
        after start: String,
        _ count: Int
    ) throws -> [String] {
        let recurrence = Recurrence(
            try CronExpression(text),
            in: try #require(Recurrence.zone(named: zone))
        )
        var times: [String] = []
        var last = try Date(start, strategy: .iso8601)
        while times.count < count, let next = recurrence.next(after: last) {
            // Of 2026-03-29T01:00:00Z, hours and minutes.
            times.append(String(next.ISO8601Format().dropFirst(11).prefix(5)))
            last = next
        }
        return times
    }

    // MARK: The clock is set forward

    /// Berlin, 29 March 2026: 02:00 is followed by 03:00 at 01:00 UTC.
    @Test func aTimeThatIsSkippedComesAtTheFirstInstantAfter() throws {
        let night = "2026-03-28T12:00:00Z"
        #expect(try times("30 2 * * *", "Europe/Berlin", after: night, 2) == ["01:00", "00:30"])
        // Several that are skipped, and one that is not, come as one.
        #expect(
            try times("0,15,45 2,3 * * *", "Europe/Berlin", after: night, 3)
                == ["01:00", "01:15", "01:45"]
        )
    }

    /// Lord Howe, 4 October 2026: 02:00 is followed by 02:30 at 15:30 UTC.
    @Test func aShiftOfHalfAnHourSkipsHalfAnHour() throws {
        let night = "2026-10-03T12:00:00Z"
        let zone = "Australia/Lord_Howe"
        #expect(try times("15 2 * * *", zone, after: night, 2) == ["15:30", "15:15"])
        #expect(try times("45 2 * * *", zone, after: night, 2) == ["15:45", "15:45"])
    }

    /// Samoa had no 30 December 2011.
    @Test func aDayThatIsSkippedComesWithTheNextOne() throws {
        let eve = "2011-12-29T12:00:00Z"
        #expect(
            try times("0 6,18 * * *", "Pacific/Apia", after: eve, 4)
                == ["16:00", "04:00", "10:00", "16:00"]
        )
    }

    // MARK: The clock is set back

    /// Berlin, 25 October 2026: 03:00 is followed by 02:00 at 01:00 UTC.
    @Test func aTimeThatComesTwiceCountsOnce() throws {
        let night = "2026-10-24T12:00:00Z"
        #expect(try times("30 2 * * *", "Europe/Berlin", after: night, 2) == ["00:30", "01:30"])
        #expect(
            try times("*/30 2,3 * * *", "Europe/Berlin", after: night, 4)
                == ["00:00", "00:30", "02:00", "02:30"]
        )
        // Also for what asks in the hour that comes again.
        let between = "2026-10-25T01:10:00Z"
        #expect(try times("30 2 * * *", "Europe/Berlin", after: between, 1) == ["01:30"])
    }

    // MARK: Every hour

    /// Fault: a schedule of every five minutes falls silent for an hour each autumn.
    @Test func whatIsOfEveryHourGoesByElapsedTime() throws {
        #expect(
            try times("30 * * * *", "Europe/Berlin", after: "2026-10-24T23:00:00Z", 4)
                == ["23:30", "00:30", "01:30", "02:30"]
        )
        #expect(
            try times("30 */1 * * *", "Europe/Berlin", after: "2026-03-28T23:00:00Z", 4)
                == ["23:30", "00:30", "01:30", "02:30"]
        )
        #expect(
            try times("*/20 0-23 * * *", "Australia/Lord_Howe", after: "2026-10-03T15:00:00Z", 4)
                == ["15:10", "15:40", "16:00", "16:20"]
        )
    }

    // MARK: Zones

    @Test func zonesHaveNamesOfTheDatabase() {
        for name in ["UTC", "GMT", "Europe/Berlin", "Asia/Ho_Chi_Minh", "Asia/Saigon", "Etc/GMT+7"]
        {
            #expect(Recurrence.zone(named: name) != nil, "\(name)")
        }
        for name in ["", "GMT+7", "GMT-0300", "+07:00", "Berlin", "europe/berlin", "Mars/Olympus"] {
            #expect(Recurrence.zone(named: name) == nil, "\(name)")
        }
    }

    // MARK: All of it

    /// Held against a clock that is looked at every minute of two years.
    @Test(arguments: ["Europe/Berlin", "Australia/Lord_Howe", "America/Santiago"])
    func isDueAsAClockThatIsLookedAtEveryMinute(zone name: String) throws {
        let zone = try #require(TimeZone(identifier: name))
        let clock = MinuteClock(zone, year: 2026)
        var generator = SeededGenerator(seed: 7)
        let texts =
            [
                "30 2 * * *", "15 2 * * *", "0 0 * * *", "59 23 * * 6", "*/30 * * * *",
                "*/15 1-3 * * *", "0 0,2 */3 mar-apr,10 *", "5 2 1-7 * sun",
            ] + (0..<8).map { _ in Self.expression(&generator) }
        for text in texts {
            let recurrence = Recurrence(try CronExpression(text), in: zone)
            var found: [Int] = []
            var last = clock.start - 1
            while let next = recurrence.next(after: last), next < clock.end {
                #expect(next > last, "\(text)")
                found.append(Int(next.timeIntervalSince(clock.start) / 60))
                last = next
            }
            let expected = clock.dueMinutes(text)
            let difference = Set(found).symmetricDifference(expected).sorted().prefix(5)
            #expect(
                found == expected,
                "\(text): \(difference.map { clock.start + Double($0) * 60 })"
            )
        }
    }

    private static func expression(_ generator: inout SeededGenerator) -> String {
        func field(_ range: ClosedRange<Int>, stars: Int) -> String {
            switch Int.random(in: 0..<stars + 4, using: &generator) {
            case 0:
                let first = Int.random(in: range, using: &generator)
                let last = Int.random(in: first...range.upperBound, using: &generator)
                let step = Int.random(in: 1...min(5, range.upperBound), using: &generator)
                return "\(first)-\(last)/\(step)"
            case 1: return "*/\(Int.random(in: 2...min(9, range.upperBound), using: &generator))"
            case 2, 3:
                let one = Int.random(in: range, using: &generator)
                return "\(one),\(Int.random(in: range, using: &generator))"
            case _: return "*"
            }
        }
        return [
            "\(Int.random(in: 0...59, using: &generator))", field(0...23, stars: 1),
            field(1...28, stars: 3), field(1...12, stars: 6), field(0...6, stars: 4),
        ].joined(separator: " ")
    }

    /// Fault: a schedule that stood still for a year holds up the scheduler.
    @Test func theLastOfManyIsFoundAtOnce() throws {
        let now = Date(timeIntervalSince1970: 1_800_000_030)
        for (text, seconds) in [("* * * * *", 30.0), ("30 2 * * *", 19_830), ("0 0 1 1 *", nil)] {
            let recurrence = Recurrence(try CronExpression(text), in: .gmt)
            let first = try #require(recurrence.next(after: now - 3 * 365 * 86_400))
            let begin = ContinuousClock.now
            let last = recurrence.last(notAfter: now, from: first)
            #expect(begin.duration(to: .now) < .seconds(1))
            if let seconds { #expect(now.timeIntervalSince(last) == seconds, "\(text)") }
            #expect(last <= now && (recurrence.next(after: last) ?? now) > now)
            #expect(recurrence.last(notAfter: now, from: last) == last)
        }
    }
}

/// What a wall clock shows in each minute of two years, and what an expression makes of it, word by
/// word.
private struct MinuteClock {
    struct Shown: Equatable {
        var year: Int
        var month: Int
        var day: Int
        var hour: Int
        var minute: Int
        var weekday: Int

        var minuteOfDay: Int { hour * 60 + minute }
        var order: Int { (((year * 12 + month) * 31 + day) * 24 + hour) * 60 + minute }
    }

    let start: Date
    let end: Date
    private var shown: [Shown] = []

    init(_ zone: TimeZone, year: Int) {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        start = calendar.date(from: DateComponents(year: year, month: 1, day: 1))!
        end = calendar.date(from: DateComponents(year: year + 2, month: 1, day: 1))!
        calendar.timeZone = zone
        let units: Set<Calendar.Component> = [.year, .month, .day, .hour, .minute, .weekday]
        for minute in 0..<Int(end.timeIntervalSince(start) / 60) {
            let parts = calendar.dateComponents(units, from: start + Double(minute) * 60)
            shown.append(
                Shown(
                    year: parts.year!,
                    month: parts.month!,
                    day: parts.day!,
                    hour: parts.hour!,
                    minute: parts.minute!,
                    weekday: parts.weekday! - 1
                )
            )
        }
    }

    func dueMinutes(_ text: String) -> [Int] {
        let fields = text.split(separator: " ").map(String.init)
        let names = [
            "jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6, "jul": 7, "aug": 8,
            "sep": 9, "oct": 10, "nov": 11, "dec": 12, "sun": 0,
        ]
        func admits(_ field: Int, _ value: Int, from first: Int) -> Bool {
            fields[field].split(separator: ",").contains { item in
                let halves = item.split(separator: "/")
                let step = halves.count == 2 ? Int(halves[1])! : 1
                let ends = halves[0].split(separator: "-").map { names[String($0)] ?? Int($0) }
                if ends == [nil] { return (value - first) % step == 0 }
                return ends[0]! <= value && value <= ends[ends.count - 1]!
                    && (value - ends[0]!) % step == 0
            }
        }
        let admitted = [(0, 0, 59), (1, 0, 23), (2, 0, 31), (3, 0, 12), (4, 0, 6)].map {
            field,
            low,
            high in
            (low...high).map { admits(field, $0, from: field == 2 || field == 3 ? 1 : 0) }
        }
        let areBothDaysRestricted = ![2, 4].contains { fields[$0].hasPrefix("*") }
        func isDue(_ shown: Shown) -> Bool {
            let day = admitted[2][shown.day]
            let weekday = admitted[4][shown.weekday]
            return admitted[0][shown.minute] && admitted[1][shown.hour] && admitted[3][shown.month]
                && (areBothDaysRestricted ? day || weekday : day && weekday)
        }
        let goesByElapsedTime = !admitted[1].contains(false)
        var latest = shown[0].order - 1
        return shown.indices.filter { index in
            let now = shown[index]
            if goesByElapsedTime { return isDue(now) }
            if now.order <= latest { return false }
            latest = now.order
            if isDue(now) { return true }
            if index == 0 || now.minuteOfDay == (shown[index - 1].minuteOfDay + 1) % 1440 {
                return false
            }
            // The clock was set forward.
            var skipped = Self.following(shown[index - 1])
            var isSkippedDue = false
            while skipped.order < now.order {
                isSkippedDue = isSkippedDue || isDue(skipped)
                skipped = Self.following(skipped)
            }
            return isSkippedDue
        }
    }

    /// What the clock would show a minute later, if it were not set. No clock is set at the end of
    /// a month.
    private static func following(_ shown: Shown) -> Shown {
        var next = shown
        next.minute += 1
        if next.minute == 60 { (next.minute, next.hour) = (0, next.hour + 1) }
        if next.hour == 24 {
            (next.hour, next.day, next.weekday) = (0, next.day + 1, (next.weekday + 1) % 7)
        }
        return next
    }
}
