import Foundation
import Messaging

// A message that is to run at a time goes through the delay queues, each of a fixed length, the
// longest that fits first. Where none fits, the shortest makes it late.

extension RetryPolicy {
    /// The longest snooze, in seconds. Chosen: a week; it also bounds what a forged header does.
    private static let longestSnooze = 7 * 86_400

    /// Where a message goes that is to run at `time` or later, no attempt spent.
    func snooze(_ message: Message, until time: Date, at now: Date) -> Disposition {
        let (end, now) = (time.timeIntervalSince1970, now.timeIntervalSince1970)
        let remaining = max(0, min(end - now, Double(Self.longestSnooze)))
        let step =
            backoffSeconds.filter { Double($0) <= remaining }.max() ?? backoffSeconds.min() ?? 0
        var message = message
        message.properties.headers = message.properties.headers.filter {
            HeaderName.travels($0.key)
        }
        let until = Int64((now + remaining).rounded(.up))
        message.properties.headers[HeaderName.snoozedUntil] = .integer(until)
        return Disposition(
            queue: names.retry(seconds: step),
            message: message,
            attempts: Self.attempts(of: message),
            retryAfter: step
        )
    }

    /// The time before which the message does not run; nil for one that may run now.
    func wakeTime(of message: Message, at now: @autoclosure () -> Date) -> Date? {
        guard case .integer(let until)? = message.properties.headers[HeaderName.snoozedUntil]
        else { return nil }
        let remaining = Double(until) - now().timeIntervalSince1970
        // One second more than the longest: it was rounded up.
        guard remaining > 0, remaining <= Double(Self.longestSnooze) + 1 else { return nil }
        return Date(timeIntervalSince1970: Double(until))
    }
}
