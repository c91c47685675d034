/// When a failed run is followed by another: a random time up to a ceiling that doubles (full
/// jitter), so that tasks that failed together do not come back together.
package enum RetryRule {
    /// In seconds, after the first failure.
    package static let first = 1.0
    package static let factor = 2.0
    /// In seconds.
    package static let cap = 300.0
    package static let retryLimit = 3
    /// Of a run, in seconds.
    package static let timeout = 300
    /// In seconds: so long a service may put an attempt off. Chosen: a day, within which limits
    /// that count by the day let it through.
    package static let longestPutOff = 86_400.0
    /// In seconds: no task is delayed for longer. Ten years.
    package static let longestDelay = 315_360_000.0

    /// Most seconds until the next run.
    ///
    /// - Parameter failures: from 1 on.
    package static func ceiling(after failures: Int) -> Double {
        (1..<max(1, failures)).reduce(first) { ceiling, _ in min(cap, ceiling * factor) }
    }
}
