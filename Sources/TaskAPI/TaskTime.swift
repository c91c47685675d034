import Foundation

/// Instants in requests and answers.
enum TaskTime {
    private static let legal =
        Date(timeIntervalSince1970: 0)..<Date(timeIntervalSince1970: 253_402_300_800)

    /// - Parameter text: ISO 8601 with a zone.
    /// - Returns: nil for what is no such time from 1970 to 9999.
    static func date(_ text: String) -> Date? {
        // The 30th of February would be taken for another day.
        let day = Date.ISO8601FormatStyle().year().month().day()
        do {
            if try day.format(day.parse(String(text.prefix(10)))) != text.prefix(10) { return nil }
        } catch { return nil }
        for style in [Date.ISO8601FormatStyle(), .init(includingFractionalSeconds: true)] {
            do {
                let date = try style.parse(text)
                return legal.contains(date) ? date : nil
            } catch { continue }
        }
        return nil
    }

    /// In UTC, with milliseconds.
    static func text(_ date: Date) -> String {
        Date.ISO8601FormatStyle(includingFractionalSeconds: true).format(date)
    }
}
