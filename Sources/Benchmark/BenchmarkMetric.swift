/// What is measured, under the names that the JSON has.
package enum BenchmarkMetric: String, CaseIterable, Sendable {
    case conversationsPerSecond = "conversations_per_second"
    case conversationsPerSecondBetweenCommits = "conversations_per_second_between_commits"
    case workerCPUSecondsPerThousand = "worker_cpu_seconds_per_1000"
    /// Of the largest replica.
    case peakResidentMegabytes = "peak_resident_mb"
    case ackP50 = "delivery_to_ack_ms_p50"
    case ackP99 = "delivery_to_ack_ms_p99"
    case calmAckP50 = "calm_delivery_to_ack_ms_p50"
    case calmAckP99 = "calm_delivery_to_ack_ms_p99"
    case calmCommitP50 = "calm_publish_to_commit_ms_p50"
    case calmCommitP99 = "calm_publish_to_commit_ms_p99"
    case tasksPerSecond = "tasks_per_second"
    case calmTaskStartP50 = "at_rest_submit_to_start_ms_p50"
    case calmTaskStartP99 = "at_rest_submit_to_start_ms_p99"
    case highTaskStartP50 = "high_under_low_submit_to_start_ms_p50"
    case highTaskStartP99 = "high_under_low_submit_to_start_ms_p99"
    case lateP50 = "after_due_s_p50"
    case lateP99 = "after_due_s_p99"
    case cancelP50 = "cancel_to_end_s_p50"
    case cancelMost = "cancel_to_end_s_most"
    case lostTaskBeginsAgain = "kill_to_next_start_s"
    case drainOverLimit = "drain_over_limit_s"
    case intakePerSecond = "intake_per_second"
    case intakeP50 = "intake_ms_p50"
    case intakeP99 = "intake_ms_p99"
    case intakePeakMegabytes = "intake_peak_resident_mb"
    case startMilliseconds = "exec_to_first_ack_ms"
    case idleCPUPercent = "idle_cpu_percent_of_a_core"
    case workerCores = "worker_cores"
    case databaseCores = "postgresql_cores"
    case brokerCores = "rabbitmq_cores"
}

/// One look at something: what could be measured of it.
package typealias Sample = [BenchmarkMetric: Double]

/// Several samples of one metric.
package struct Spread: Encodable, Equatable, Sendable {
    package let median: Double
    package let min: Double
    package let max: Double

    /// nil when there are none.
    package init?(_ values: [Double]) {
        guard let least = values.min(), let most = values.max(),
            let middle = percentile(50, of: values)
        else { return nil }
        median = middle
        min = least
        max = most
    }
}

/// The value below which that share of all values lies, between two of them where it falls between.
package func percentile(_ percent: Double, of values: [Double]) -> Double? {
    if values.isEmpty { return nil }
    let sorted = values.sorted()
    let position = percent / 100 * Double(sorted.count - 1)
    let (below, above) = (Int(position.rounded(.down)), Int(position.rounded(.up)))
    return sorted[below] + (sorted[above] - sorted[below]) * (position - Double(below))
}

/// The samples of one thing that is measured again and again.
package struct Series: Sendable {
    private var samples: [Sample] = []

    package init() {}

    package mutating func add(_ sample: Sample) { samples.append(sample) }

    package subscript(metric: BenchmarkMetric) -> Spread? {
        Spread(samples.compactMap { $0[metric] })
    }
}
