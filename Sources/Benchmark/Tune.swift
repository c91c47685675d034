import Foundation

/// `amity tune`: finds how many replicas, threads and conversations in a batch serve this machine.
package struct Tune {
    package var conversations: Int
    package var users: Int
    package var workload: Workload
    package var repeats: Int
    /// What the analyser takes; nil for none.
    package var analyserSeconds: Double?
    /// Most seconds of one run.
    package var secondsPerRun: Double
    package var configurations: [Configuration]

    package init(
        conversations: Int,
        users: Int,
        workload: Workload = .plain,
        repeats: Int,
        analyserSeconds: Double?,
        secondsPerRun: Double,
        configurations: [Configuration]
    ) {
        self.conversations = conversations
        self.users = users
        self.workload = workload
        self.repeats = repeats
        self.analyserSeconds = analyserSeconds
        // Threads that wait side by side finish in waves: three of them at least.
        self.secondsPerRun = max(secondsPerRun, 3 * (analyserSeconds ?? 0) + 2)
        self.configurations = configurations
    }

    /// What a run takes beside its own seconds: filling, starting, stopping. Measured, rounded up.
    private static let secondsAround = 4.0

    /// Most minutes that it takes. A run that is cut off still finishes what its threads have
    /// begun.
    package var minutes: Double {
        let seconds = secondsPerRun + Self.secondsAround + (analyserSeconds ?? 0)
        return Double(configurations.count * repeats) * seconds / 60
    }

    package func run() throws -> TuneReport {
        say(
            """
            \(configurations.count * repeats) runs of at most \(secondsPerRun.shown) seconds: at \
            most \(minutes.shown(1)) minutes
            """
        )
        return try BenchmarkRun.with(
            conversations: conversations,
            users: users,
            workload: workload
        ) { run in
            var series: [Configuration: Series] = [:]
            for round in 1...repeats {
                for configuration in configurations {
                    let sample =
                        try run
                        .trial(configuration, analyserSeconds: analyserSeconds)
                        .saturated(work(for: configuration), limit: .seconds(secondsPerRun))
                    series[configuration, default: Series()].add(sample)
                    let rate = sample[.conversationsPerSecond] ?? 0
                    say(
                        """
                        round \(round) of \(repeats): \(configuration.name), \
                        \(rate.shown) per second
                        """
                    )
                }
            }
            return TuneReport(
                workload: workload.rawValue,
                analyserSeconds: analyserSeconds,
                repeats: repeats,
                points: configurations.map { .init($0, series[$0] ?? Series()) }
            )
        }
    }

    /// As many conversations as make a run long enough to tell: with an analyser that waits, whole
    /// waves of all threads.
    func work(for configuration: Configuration) -> Int {
        guard let analyserSeconds, analyserSeconds > 0 else { return conversations }
        let waves = max(3, (3 / analyserSeconds).rounded(.up))
        return min(conversations, configuration.totalThreads * Int(waves))
    }
}

/// The smallest configuration whose rate is within five percent of the best.
package func choice(among rates: [Configuration: Double]) -> Configuration? {
    guard let best = rates.values.max() else { return nil }
    return rates.filter { $0.value >= best * (1 - toleratedLoss) }.keys.min()
}

/// Chosen: less than what the same configuration differs by from one run to the next.
package let toleratedLoss = 0.05
