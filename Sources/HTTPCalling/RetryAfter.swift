import Foundation

/// The header by which a service says when to come back (RFC 9110, 10.2.3).
package enum RetryAfter {
    /// - Parameter text: seconds, or a date in any of the three forms HTTP knows.
    /// - Returns: how long from now, zero or more; nil for what is neither.
    package static func delay(_ text: String, at now: Date) -> Duration? {
        let text = text.trimmingCharacters(in: .whitespaces)
        if let seconds = Double(text) {
            // Some services give fractions. What is out of all proportion is for ever.
            guard seconds.isFinite, seconds >= 0 else { return nil }
            return .seconds(min(seconds, farthest))
        }
        guard let date = date(text) else { return nil }
        return .seconds(min(max(0, date.timeIntervalSince(now)), farthest))
    }

    /// Ten years: far beyond anything that is waited for, and no overflow in snapshot.
    private static let farthest = 315_360_000.0

    private static func date(_ text: String) -> Date? {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(identifier: "GMT")
        let forms = [
            "EEE, dd MMM yyyy HH:mm:ss zzz", "EEEE, dd-MMM-yy HH:mm:ss zzz",
            "EEE MMM d HH:mm:ss yyyy",
        ]
        for form in forms {
            formatter.dateFormat = form
            if let date = formatter.date(from: text) { return date }
        }
        return nil
    }
}
