import CoreMetrics
import Metering

/// Counts the losses of one of the broker's links. Each cause has a counter, at 0, from the start:
/// a counter that begins with the first loss hides that loss from queries for its increase.
struct Reconnects: Sendable {
    private let counters: [AMQPError.Cause: Counter]

    /// - Parameter link: the component that connects.
    init(of link: String, in factory: any MetricsFactory) {
        counters = Dictionary(
            uniqueKeysWithValues: AMQPError.Cause.allCases.map { cause in
                (cause, Metric.reconnects.counter(link, cause.rawValue, in: factory))
            }
        )
    }

    func count(_ error: AMQPError) { counters[error.cause]?.increment() }
}
