import Foundation

/// The instants at which a cron expression is due in a time zone.
///
/// Each time of the wall clock is due once, when the clock shows it first; one that the clock skips
/// is due at the first instant after the gap. An expression of every hour goes by elapsed time
/// instead: it is due whenever the clock shows one of its times, and a gap adds nothing. So one of
/// every five minutes does not fall silent for the hour that comes twice.
package struct Recurrence: Sendable {
    private let cron: CronExpression
    private let zone: TimeZone

    package init(_ cron: CronExpression, in zone: TimeZone) {
        (self.cron, self.zone) = (cron, zone)
    }

    /// - Parameter name: of the IANA database. Offsets such as GMT+7 are none: in that database the
    ///   signs of Etc/GMT+7 and the like are the other way round.
    package static func zone(named name: String) -> TimeZone? {
        if name.hasPrefix("GMT") && name != "GMT" { return nil }
        return TimeZone(identifier: name)
    }

    /// The first instant after another one; nil where there is none.
    package func next(after instant: Date) -> Date? {
        let second = Int(instant.timeIntervalSince1970.rounded(.down))
        let found = cron.isOfEveryHour ? nextShown(after: second) : nextFirstShown(after: second)
        return found.map { Date(timeIntervalSince1970: Double($0)) }
    }

    /// The first few after another one.
    package func times(after instant: Date, _ count: Int) -> [Date] {
        var times: [Date] = []
        while times.count < count, let next = next(after: times.last ?? instant) {
            times.append(next)
        }
        return times
    }

    /// The last instant that is not after `now`.
    ///
    /// - Parameter first: one that is not after `now`.
    package func last(notAfter now: Date, from first: Date) -> Date {
        var last = first
        // Back twice as far each time: a schedule of every minute may have stood still for a year.
        var span = 60.0
        while now - span > first {
            if let found = next(after: now - span), found <= now {
                last = found
                break
            }
            span *= 2
        }
        while let next = next(after: last), next <= now { last = next }
        return last
    }

    // MARK: In seconds since 1970

    private func nextFirstShown(after second: Int) -> Int? {
        var minute = Int((Double(second + offset(at: second)) / 60).rounded(.down))
        while let next = cron.next(from: minute + 1) {
            let found = firstInstant(showing: next)
            if found > second { return found }
            // The clock was set back, and had shown it before.
            minute = next
        }
        return nil
    }

    /// The first instant at which the wall clock shows a minute, or a later one.
    private func firstInstant(showing minute: Int) -> Int {
        let shown = minute * 60
        // No zone is that far from UTC.
        var instant = shown - 16 * 3600
        while true {
            let found = shown - offset(at: instant)
            guard let change = change(after: instant), change <= found else { return found }
            if change + offset(at: change) >= shown { return change }
            instant = change
        }
    }

    private func nextShown(after second: Int) -> Int? {
        var instant = (second / 60 + 1) * 60
        while true {
            let offset = offset(at: instant)
            guard let next = cron.next(from: (instant + offset) / 60) else { return nil }
            let found = next * 60 - offset
            guard let change = change(after: instant), change <= found else { return found }
            instant = change
        }
    }

    private func offset(at second: Int) -> Int {
        zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(second)))
    }

    /// The next instant at which the zone's offset may change.
    private func change(after second: Int) -> Int? {
        zone.nextDaylightSavingTimeTransition(after: Date(timeIntervalSince1970: Double(second)))
            .map { Int($0.timeIntervalSince1970) }
    }
}
