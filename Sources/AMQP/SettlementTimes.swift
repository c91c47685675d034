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
    /// Those whose ack is to be sent, by tag.
    private var acked: [UInt64: ContinuousClock.Instant] = [:]
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
        if completion.settlement == .ack { acked[completion.id.tag] = arrival }
    }

    /// Frames are sent.
    ///
    /// - Returns: how long each of those took that are acked by them.
    @discardableResult
    func sent(
        _ frames: [SettlementLedger.Frame],
        at now: ContinuousClock.Instant
    ) -> [Duration] {
        var times: [Duration] = []
        for frame in frames {
            switch frame {
            case .ack(let last, multiple: true):
                for (tag, arrival) in acked where tag <= last {
                    times.append(arrival.duration(to: now))
                }
                acked = acked.filter { $0.key > last }
            case .ack(let tag, multiple: false):
                if let arrival = acked.removeValue(forKey: tag) {
                    times.append(arrival.duration(to: now))
                }
            case .requeue: break
            }
        }
        for time in times {
            histogram.record(UInt64(max(0, time / .microseconds(1))))
            timer.record(time)
        }
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
