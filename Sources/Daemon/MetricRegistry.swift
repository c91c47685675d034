import Metering
import PrometheusMetrics

extension PrometheusRegistry {
    /// Knows what Amity measures.
    package convenience init(describing metrics: [Metric]) {
        self.init(
            describing: metrics.map { metric in
                guard case .histogram(let buckets) = metric.kind else {
                    return Description(name: metric.name, help: metric.help)
                }
                return Description(name: metric.name, help: metric.help, buckets: buckets)
            }
        )
    }
}
