import CoreMetrics
import Histogram
import Logging
import Metering
import WorkerRuntime

/// How long deliveries took, from when they had arrived whole until their ack was sent: the worker's
/// own share of a message's way. Belongs to the channel thread, which sees both ends.
final class SettlementTimes {
    private let timer: CoreMetrics.Timer
    /// Of the current session, by tag; as many as are unsettled.
    private var arrivals: [UInt64: ContinuousClock.Instant] = [:]
    /// Those whose ack goes out with the next frames.
    private var acked: [ContinuousClock.Instant] = []
    /// Microseconds, up to an hour, to one percent: 20 KB.
    private var histogram = Histogram<UInt64>(
        highestTrackableValue: 3_600_000_000,
        numberOfSignificantValueDigits: .two
    )

    init(metrics: WorkerMetrics = WorkerMetrics()) {
        timer = metrics.settlement
    }

    /// Tags begin again at 1.
    func sessionOpened() {
        arrivals.removeAll()
        acked.removeAll()
    }

    func arrived(_ delivery: Delivery) {
        arrivals[delivery.id.tag] = delivery.receivedAt
    }

    /// A decision that counts.
    func settled(_ completion: Completion) {
        guard let arrival = arrivals.removeValue(forKey: completion.id.tag) else { return }
        if completion.settlement == .ack { acked.append(arrival) }
    }

    /// The frames of all decisions so far are sent.
    ///
    /// - Returns: how long each of those took that are acked by them.
    @discardableResult
    func sent(at now: ContinuousClock.Instant) -> [Duration] {
        if acked.isEmpty { return [] }
        let times = acked.map { $0.duration(to: now) }
        for time in times {
            histogram.record(UInt64(max(0, time / .microseconds(1))))
            timer.record(time)
        }
        acked.removeAll(keepingCapacity: true)
        return times
    }

    /// Over the life of the process.
    var summary: Logger.Metadata {
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
