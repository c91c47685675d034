import Concurrency
import Histogram
import Logging
import Messaging

/// How long deliveries took, from when they had arrived whole until their ack was sent: the
/// worker's own share of a message's way. Belongs to the channel thread, which sees both ends.
package final class SettlementTimes {
    /// Of the current session, by tag: of what is unsettled, or whose ack is to be sent.
    private var arrivals: [UInt64: ContinuousClock.Instant] = [:]
    /// No tag of `arrivals` is lower.
    private var firstTag: UInt64 = 1
    /// Microseconds, up to an hour, to one percent: 20 KB.
    private var histogram = Histogram<UInt64>(
        highestTrackableValue: 3_600_000_000,
        numberOfSignificantValueDigits: .two
    )

    package init() {}

    /// Tags begin again at 1.
    package func sessionOpened() {
        arrivals.removeAll()
        firstTag = 1
    }

    package func arrived(_ delivery: Delivery) {
        arrivals[delivery.id.tag] = delivery.receivedAt
    }

    /// A decision that counts.
    package func settled(_ completion: Completion) {
        if completion.settlement == .requeue { arrivals[completion.id.tag] = nil }
    }

    /// Frames are sent.
    ///
    /// - Returns: how long each of those took that are acked by them.
    @discardableResult
    package func sent(
        _ frames: [SettlementLedger.Frame],
        at now: ContinuousClock.Instant
    ) -> [Duration] {
        var times: [Duration] = []
        for case .ack(let tag, let multiple) in frames {
            for tag in multiple ? tags(upTo: tag) : [tag] {
                guard let arrival = arrivals.removeValue(forKey: tag) else { continue }
                times.append(arrival.duration(to: now))
            }
            if multiple { firstTag = tag + 1 }
        }
        for time in times { histogram.record(time.wholeMicroseconds) }
        return times
    }

    /// Of what is there, and perhaps some more.
    private func tags(upTo last: UInt64) -> [UInt64] {
        guard firstTag <= last else { return [] }
        // Far apart where one was open for long, and the others went singly.
        if last - firstTag < UInt64(2 * arrivals.count) { return Array(firstTag...last) }
        return arrivals.keys.filter { $0 <= last }
    }

    /// Over the life of the process.
    package var summary: Logger.Metadata {
        if histogram.totalCount == 0 { return ["acked": .stringConvertible(0)] }
        return [
            "acked": .stringConvertible(histogram.totalCount),
            "ack_seconds_p50": .stringConvertible(seconds(50)),
            "ack_seconds_p99": .stringConvertible(seconds(99)),
        ]
    }

    private func seconds(_ percentile: Double) -> Double {
        Double(histogram.valueAtPercentile(percentile)) / 1e6
    }
}
