import Foundation
import SafeText

/// What a sweep found: what to set, and the curve that led there.
package struct TuneReport: Encodable {
    private let workload: String
    private let analyserSeconds: Double?
    private let repeats: Int
    private let cores = ProcessInfo.processInfo.activeProcessorCount
    private let rule = "the smallest configuration within 5 % of the best rate"
    private let recommended: [String: Int]
    private let points: [ReportRow]
    private let choice: Configuration?

    init(workload: String, analyserSeconds: Double?, repeats: Int, points: [ReportRow]) {
        self.workload = workload
        self.analyserSeconds = analyserSeconds
        self.repeats = repeats
        self.points = points
        choice = Benchmark.choice(among: Self.rates(of: points))
        recommended = choice.map(Self.settings) ?? [:]
    }

    private enum CodingKeys: String, CodingKey {
        case analyserSeconds = "analyser_seconds"
        case workload, repeats, cores, rule, recommended, points
    }

    private static func settings(_ choice: Configuration) -> [String: Int] {
        [
            "WORKER_REPLICAS": choice.replicas,
            "MESSAGE_CONCURRENCY_PER_WORKER": choice.threads,
            "PREFETCH_COUNT": choice.prefetch,
            "BATCH_MAX": choice.batch,
        ]
    }

    private static func rates(of points: [ReportRow]) -> [Configuration: Double] {
        var rates: [Configuration: Double] = [:]
        for point in points {
            guard let configuration = point.configuration else { continue }
            rates[configuration] = point.series[.conversationsPerSecond]?.median
        }
        return rates
    }

    package var json: String {
        get throws { try jsonText(self) }
    }

    package var svg: String {
        Curve(
            rates: Self.rates(of: points),
            choice: choice,
            workload: workload,
            analyserSeconds: analyserSeconds
        ).svg
    }

    package var text: String {
        let settings = recommended.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        return """
            \(TextTable.lines([Self.heads] + points.map(row), .right).joined(separator: "\n"))

            workload \(workload), \(cores) cores\
            \(analyserSeconds.map { ", an analyser that takes \($0) s" } ?? ""); medians of \
            \(repeats), with the least and the most; cores: CPU used, on average
            recommended, \(rule):

            \(settings.joined(separator: "\n"))
            """
    }

    private static let heads = [
        "", "conversations/s", "of best", "worker cores", "PostgreSQL", "RabbitMQ", "peak MB",
    ]

    private func row(_ point: ReportRow) -> [String] {
        let best = Self.rates(of: points).values.max() ?? 1
        let rate = point.series[.conversationsPerSecond]?.median ?? 0
        let mark = point.configuration == choice ? "  ◀" : ""
        return [
            point.name + mark, point.range(.conversationsPerSecond),
            "\((rate / best * 100).shown) %", point.cell(.workerCores, digits: 2),
            point.cell(.databaseCores, digits: 2), point.cell(.brokerCores, digits: 2),
            point.cell(.peakResidentMegabytes, digits: 1),
        ]
    }
}
