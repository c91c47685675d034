// What is measured: the one table of metrics, and how one of its rows becomes an instrument. The
// rooms that measure see this and swift-metrics' API, never what becomes of the figures.

import CoreMetrics

/// One row of the table that the instruments, `/metrics` and the article Metrics.md share.
package struct Metric: Sendable {
    package enum Kind: Sendable, Equatable {
        case counter
        case gauge
        /// With the upper bounds of its buckets, in the metric's unit, ascending.
        case histogram([Double])
    }

    /// As Prometheus has it, unit and all.
    package let name: String
    package let kind: Kind
    /// Names of its labels. Their values are few: no id, no user, no text is one.
    package let labels: [String]
    /// One sentence, for `/metrics` and Metrics.md.
    package let help: String

    init(_ name: String, _ kind: Kind, _ labels: String..., help: String) {
        self.name = name
        self.kind = kind
        self.labels = labels
        self.help = help
    }
}

// MARK: - Instruments

/// An instrument is made once and kept: making one takes a lock and allocates, using it does
/// neither.
///
/// Values are those of the labels, in the table's order.
extension Metric {
    package func counter(
        _ values: String...,
        in factory: any MetricsFactory = MetricsSystem.factory
    ) -> Counter {
        precondition(kind == .counter)
        return Counter(label: name, dimensions: dimensions(values), factory: factory)
    }

    package func floatingPointCounter(
        _ values: String...,
        in factory: any MetricsFactory = MetricsSystem.factory
    ) -> FloatingPointCounter {
        precondition(kind == .counter)
        return FloatingPointCounter(label: name, dimensions: dimensions(values), factory: factory)
    }

    package func gauge(
        _ values: String...,
        in factory: any MetricsFactory = MetricsSystem.factory
    ) -> Gauge {
        precondition(kind == .gauge)
        return Gauge(label: name, dimensions: dimensions(values), factory: factory)
    }

    /// A histogram of durations.
    package func timer(
        _ values: String...,
        in factory: any MetricsFactory = MetricsSystem.factory
    ) -> CoreMetrics.Timer {
        precondition(isHistogram)
        return CoreMetrics.Timer(label: name, dimensions: dimensions(values), factory: factory)
    }

    /// A histogram of anything else.
    package func recorder(
        _ values: String...,
        in factory: any MetricsFactory = MetricsSystem.factory
    ) -> Recorder {
        precondition(isHistogram)
        return Recorder(
            label: name,
            dimensions: dimensions(values),
            aggregate: true,
            factory: factory
        )
    }

    private var isHistogram: Bool { if case .histogram = kind { true } else { false } }

    private func dimensions(_ values: [String]) -> [(String, String)] {
        precondition(values.count == labels.count, "\(name) wants one value for each label")
        return Array(zip(labels, values))
    }
}

extension CoreMetrics.Timer {
    /// What lasted less than nothing, by clocks that disagree, lasted nothing.
    package func record(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        recordNanoseconds(max(0, seconds * 1_000_000_000 + attoseconds / 1_000_000_000))
    }
}
