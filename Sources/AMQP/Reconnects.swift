import CoreMetrics
import Metering

/// Counts the losses of one of the broker's links, those that have not happened included: a figure
/// that only begins with the first loss hides it from whoever looks at its growth.
struct Reconnects: Sendable {
    private let counters: [AMQPError.Cause: Counter]

    /// - Parameter link: who connects.
    init(of link: String, in factory: any MetricsFactory) {
        counters = Dictionary(
            uniqueKeysWithValues: AMQPError.Cause.allCases.map { cause in
                (cause, Metric.reconnects.counter(link, cause.rawValue, in: factory))
            }
        )
    }

    func count(_ error: AMQPError) { counters[error.cause]?.increment() }
}
