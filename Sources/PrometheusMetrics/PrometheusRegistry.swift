// A backend of swift-metrics that Prometheus can scrape: keeps what is counted, and writes it as
// text, version 0.0.4 of the format. It knows no metric by name, and may be replaced by any other
// backend.

import Concurrency
import CoreMetrics
import Foundation

/// Makes the handlers behind swift-metrics' instruments, and writes down what they hold.
///
/// A lock guards the making and the list; counting itself is atomic operations.
package final class PrometheusRegistry: MetricsFactory {
    /// What a metric is called and what is said of it.
    package struct Description: Sendable {
        package var name: String
        package var help: String
        /// Upper bounds, ascending; empty for what is no histogram.
        package var buckets: [Double]

        package init(name: String, help: String, buckets: [Double] = []) {
            self.name = name
            self.help = help
            self.buckets = buckets
        }
    }

    /// The `Content-Type` of the text.
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// For histograms without a description, in seconds. Chosen.
    private static let buckets = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60]

    private let descriptions: [String: Description]
    private let seriesLimit: Int
    private let families = Families()

    /// - Parameters:
    ///   - descriptions: of the metrics that are known beforehand. Others have no HELP line.
    ///   - seriesLimit: most sets of label values of one metric. What comes after is counted
    ///     together, with `other` for every value: a mistaken label costs its detail, not the
    ///     memory.
    package init(describing descriptions: [Description], seriesLimit: Int = 100) {
        self.descriptions = Dictionary(
            descriptions.map { ($0.name, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        self.seriesLimit = seriesLimit
    }

    /// Everything there is, by name, as Prometheus reads it.
    package func text() -> String {
        var text = ""
        text.reserveCapacity(64 << 10)
        for (header, series) in families.all {
            text += header
            for one in series { one.write(to: &text) }
        }
        return text
    }

    // MARK: Factory

    package func makeCounter(
        label: String,
        dimensions: [(String, String)]
    ) -> any CounterHandler {
        series(Self.counterName(label), dimensions, .counter) {
            IntegerCounter(sample: $0.sample())
        }
    }

    package func makeFloatingPointCounter(
        label: String,
        dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        series(Self.counterName(label), dimensions, .counter) { DoubleCounter(sample: $0.sample()) }
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        gauge(label, dimensions)
    }

    package func makeRecorder(
        label: String,
        dimensions: [(String, String)],
        aggregate: Bool
    ) -> any RecorderHandler {
        aggregate ? histogram(label, dimensions) : gauge(label, dimensions)
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histogram(label, dimensions)
    }

    package func destroyCounter(_ handler: any CounterHandler) { families.remove(handler) }
    package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {
        families.remove(handler)
    }
    package func destroyMeter(_ handler: any MeterHandler) { families.remove(handler) }
    package func destroyRecorder(_ handler: any RecorderHandler) { families.remove(handler) }
    package func destroyTimer(_ handler: any TimerHandler) { families.remove(handler) }

    private func gauge(_ label: String, _ dimensions: [(String, String)]) -> GaugeSeries {
        series(ExpositionText.name(label), dimensions, .gauge) { GaugeSeries(sample: $0.sample()) }
    }

    private func histogram(_ label: String, _ dimensions: [(String, String)]) -> Histogram {
        let name = ExpositionText.name(label)
        let described = descriptions[name]?.buckets ?? []
        let bounds = described.isEmpty ? Self.buckets : described
        return series(name, dimensions, .histogram) { Histogram($0, bounds: bounds) }
    }

    private static func counterName(_ label: String) -> String {
        let name = ExpositionText.name(label)
        return name.hasSuffix("_total") ? name : name + "_total"
    }

    /// The series of those labels, the same one whenever it is asked for.
    private func series<One: Series>(
        _ name: String,
        _ dimensions: [(String, String)],
        _ kind: Family.Kind,
        _ make: (SampleName) -> One
    ) -> One {
        families.series(
            SampleName(metric: name, labels: dimensions),
            in: { Family(name: name, kind: kind, help: self.descriptions[name]?.help) },
            limit: seriesLimit,
            make
        )
    }
}

/// A metric with all its series.
private struct Family: Sendable {
    enum Kind: String, Sendable {
        case counter, gauge, histogram
    }

    let name: String
    let kind: Kind
    /// Its HELP and TYPE lines.
    let header: String
    /// Sorted by their labels.
    var series: [any Series] = []
    var byLabels: [String: any Series] = [:]

    init(name: String, kind: Kind, help: String?) {
        self.name = name
        self.kind = kind
        let helpLine = help.map { "# HELP \(name) \(ExpositionText.escaped(help: $0))\n" } ?? ""
        header = helpLine + "# TYPE \(name) \(kind.rawValue)\n"
    }

    mutating func add(_ one: any Series, labels: String) {
        byLabels[labels] = one
        sort()
    }

    mutating func remove(_ handler: AnyObject) {
        guard let labels = byLabels.first(where: { $0.value === handler })?.key else { return }
        byLabels[labels] = nil
        sort()
    }

    private mutating func sort() {
        series = byLabels.sorted { $0.key < $1.key }.map(\.value)
    }
}

/// All families, under a lock that only making, destroying and writing take.
private final class Families: Sendable {
    private let families = Locked<[String: Family]>([:])

    var all: [(header: String, series: [any Series])] {
        families.withLock { families in
            families.values.filter { !$0.series.isEmpty }.sorted { $0.name < $1.name }
                .map { ($0.header, $0.series) }
        }
    }

    func series<One: Series>(
        _ name: SampleName,
        in family: () -> Family,
        limit: Int,
        _ make: (SampleName) -> One
    ) -> One {
        families.withLock { families in
            let isKnown = families[name.metric]?.byLabels[name.labels] != nil
            let isFull = (families[name.metric]?.series.count ?? 0) >= limit
            let name = isKnown || !isFull ? name : name.withoutDetail
            let new = family()
            // One name is one kind of metric. An instrument of another kind is not exported.
            guard families[name.metric, default: new].kind == new.kind else { return make(name) }
            if let known = families[name.metric]?.byLabels[name.labels] {
                return known as? One ?? make(name)
            }
            let one = make(name)
            families[name.metric, default: new].add(one, labels: name.labels)
            return one
        }
    }

    func remove(_ handler: AnyObject) {
        families.withLock { families in
            for name in families.keys { families[name]?.remove(handler) }
        }
    }
}
