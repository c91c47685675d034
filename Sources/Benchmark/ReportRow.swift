import Foundation
import JSON

/// A row of a report: what was measured, and its figures.
package struct ReportRow: Encodable {
    let name: String
    let configuration: Configuration?
    let series: Series

    init(name: String, _ series: Series) {
        self.name = name
        configuration = nil
        self.series = series
    }

    init(_ configuration: Configuration, _ series: Series) {
        name = configuration.name
        self.configuration = configuration
        self.series = series
    }

    private enum Key: String, CodingKey {
        case name, replicas, threads, automatic, batch, prefetch, measures
    }

    package func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: Key.self)
        try object.encode(name, forKey: .name)
        if let configuration {
            try object.encode(configuration.replicas, forKey: .replicas)
            try object.encode(configuration.threads, forKey: .threads)
            try object.encode(configuration.isAutomatic, forKey: .automatic)
            try object.encode(configuration.batch, forKey: .batch)
            try object.encode(configuration.prefetch, forKey: .prefetch)
        }
        var measures: [String: Spread] = [:]
        for metric in BenchmarkMetric.allCases { measures[metric.rawValue] = series[metric] }
        try object.encode(measures, forKey: .measures)
    }

    // MARK: Cells

    func cell(_ metric: BenchmarkMetric, digits: Int = 0) -> String {
        series[metric].map { $0.median.shown(digits) } ?? "-"
    }

    /// Two metrics that belong together.
    func cell(_ one: BenchmarkMetric, _ other: BenchmarkMetric) -> String {
        "\(cell(one, digits: 1)) / \(cell(other, digits: 1))"
    }

    /// The median with the least and the most.
    func range(_ metric: BenchmarkMetric) -> String {
        guard let spread = series[metric] else { return "-" }
        return "\(spread.median.shown) (\(spread.min.shown) – \(spread.max.shown))"
    }
}

func jsonText(_ report: some Encodable) throws -> String {
    try JSONEncoder.report.text(report)
}
