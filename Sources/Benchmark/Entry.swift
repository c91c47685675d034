import Foundation
import JSON

/// A line of a report: something that was measured, and what was found.
package struct Entry: Encodable {
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
        for measure in Measure.allCases { measures[measure.rawValue] = series[measure] }
        try object.encode(measures, forKey: .measures)
    }

    // MARK: Cells

    func cell(_ measure: Measure, digits: Int = 0) -> String {
        series[measure].map { $0.median.shown(digits) } ?? "-"
    }

    /// Two measures that belong together.
    func cell(_ one: Measure, _ other: Measure) -> String {
        "\(cell(one, digits: 1)) / \(cell(other, digits: 1))"
    }

    /// The median with the least and the most.
    func range(_ measure: Measure) -> String {
        guard let spread = series[measure] else { return "-" }
        return "\(spread.median.shown) (\(spread.min.shown) – \(spread.max.shown))"
    }
}

func jsonText(_ report: some Encodable) throws -> String {
    try JSONEncoder.report.text(report)
}
