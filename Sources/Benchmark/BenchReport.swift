import Foundation
import SafeText

/// What a benchmark found, as JSON or as a table.
package struct BenchReport: Encodable {
    var conversations: Int
    var users: Int
    var workload: String
    var repeats: Int
    var analyserSeconds: Double?
    /// nil for a tenth of the rate of each.
    var calmRate: Int?
    var cores = ProcessInfo.processInfo.activeProcessorCount
    var references: [ReportRow]
    var start: ReportRow
    var configurations: [ReportRow]

    private enum CodingKeys: String, CodingKey {
        case analyserSeconds = "analyser_seconds"
        case calmRate = "calm_rate"
        case conversations, users, workload, repeats, cores, references, start, configurations
    }

    package var json: String {
        get throws { try jsonText(self) }
    }

    private var table: String {
        let rows = [Self.heads] + (references + configurations).map(row)
        return TextTable.lines(rows, .right).joined(separator: "\n")
    }

    package var text: String {
        """
        \(conversations) conversations of \(users) users, workload \(workload), \
        \(cores) cores\(analyserSeconds.map { ", an analyser that takes \($0) s" } ?? ""); \
        medians of \(repeats), with the least and the most

        \(table)

        \(start.name): \(start.cell(.startMilliseconds)) ms from exec to the first ack, then \
        idling at \(start.cell(.idleCPUPercent, digits: 2)) % of a core, \
        \(start.cell(.peakResidentMegabytes, digits: 1)) MB

        \(legend)\(missing)
        """
    }

    private static let heads = [
        "", "conversations/s", "ratio", "CPU s/1000", "peak MB", "ack ms p50/p99",
        "calm: ack ms", "calm: commit ms",
    ]

    private func row(_ row: ReportRow) -> [String] {
        [
            row.name, row.range(.conversationsPerSecond), ratio(row),
            row.cell(.workerCPUSecondsPerThousand, digits: 4),
            row.cell(.peakResidentMegabytes, digits: 1), row.cell(.ackP50, .ackP99),
            row.cell(.calmAckP50, .calmAckP99), row.cell(.calmCommitP50, .calmCommitP99),
        ]
    }

    private func ratio(_ row: ReportRow) -> String {
        guard let rate = row.series[.conversationsPerSecond]?.median,
            let reference = references.first?.series[.conversationsPerSecond]?.median
        else { return "-" }
        return (rate / reference).shown(2)
    }

    private var legend: String {
        let calm = calmRate.map { "\($0) a second" } ?? "a tenth of the rate above"
        return """
            conversations/s  from the first worker's begin of consumption to the last commit
            ratio            to the first line
            CPU              of all workers, from exec to the last commit
            peak MB          of the largest worker
            ack              from when a delivery had arrived until its ack was sent, \
            by the slowest worker
            calm             at \(calm); commit: from publish to commit
            """
    }

    private var missing: String {
        Pgbench.program == nil ? "\npgbench is missing: apt-get install postgresql" : ""
    }
}
