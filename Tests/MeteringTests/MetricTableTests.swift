import Metering
import TestSupport
import Testing

struct MetricTableTests {
    @Test func theArticleAgreesWithTheTableOfMetrics() throws {
        let isEqual = try Document.article("Metrics").text == Metric.article
        #expect(
            isEqual,
            "renew it: amity settings --metrics > Sources/AmityCLI/Amity.docc/Metrics.md"
        )
    }

    /// Fault: a name that Prometheus' conventions forbid, or two rows that are one metric.
    @Test func theTableOfMetricsKeepsTheConventions() {
        #expect(Set(Metric.all.map(\.name)).count == Metric.all.count)
        for metric in Metric.all {
            #expect(metric.help.hasSuffix("."), "\(metric.name)")
            switch metric.kind {
            case .counter: #expect(metric.name.hasSuffix("_total"), "\(metric.name)")
            case .gauge: #expect(!metric.name.hasSuffix("_total"), "\(metric.name)")
            case .histogram(let buckets):
                #expect(buckets == Set(buckets).sorted() && !buckets.isEmpty, "\(metric.name)")
            }
        }
    }
}
