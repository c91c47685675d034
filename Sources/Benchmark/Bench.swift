import Foundation

/// `amity bench`: how fast the worker is next to what the database and the broker allow.
package struct Bench {
    package var conversations: Int
    package var users: Int
    package var workload: Workload
    package var repeats: Int
    /// What an analyser takes for each conversation; nil for none.
    package var analyserSeconds: Double?
    /// Conversations a second while all is calm; nil for a tenth of what each configuration does.
    package var calmRate: Int?
    package var configurations: [Configuration]

    package init(
        conversations: Int,
        users: Int,
        workload: Workload,
        repeats: Int,
        analyserSeconds: Double? = nil,
        calmRate: Int? = nil,
        configurations: [Configuration]
    ) {
        self.conversations = conversations
        self.users = users
        self.workload = workload
        self.repeats = repeats
        self.analyserSeconds = analyserSeconds
        self.calmRate = calmRate
        self.configurations = configurations
    }

    /// What is measured, one after the other in every round: noise that comes and goes hits all
    /// alike.
    private enum Subject: Hashable {
        case reference(Reference)
        case start
        case workers(Configuration)

        var name: String {
            switch self {
            case .reference(let reference): reference.name
            case .start: "start and idling"
            case .workers(let configuration): configuration.name
            }
        }
    }

    package func run() throws -> BenchReport {
        let subjects =
            Reference.allCases.map(Subject.reference) + [.start]
            + configurations.map(Subject.workers)
        return try BenchmarkRun.with(
            conversations: conversations,
            users: users,
            workload: workload
        ) { run in
            var series: [Subject: Series] = [:]
            for round in 1...repeats {
                for subject in subjects {
                    let sample = try measure(subject, in: run)
                    series[subject, default: Series()].add(sample)
                    let rate = sample[.conversationsPerSecond].map { ", \($0.shown) per second" }
                    say("round \(round) of \(repeats): \(subject.name)\(rate ?? "")")
                }
            }
            return BenchReport(
                conversations: conversations,
                users: users,
                workload: workload.rawValue,
                repeats: repeats,
                analyserSeconds: analyserSeconds,
                calmRate: calmRate,
                references: Reference.allCases.map {
                    .init(name: $0.name, series[.reference($0)] ?? Series())
                },
                start: .init(
                    name: "N = \(Self.startThreads), one conversation",
                    series[.start] ?? Series()
                ),
                configurations: configurations.map {
                    .init($0, series[.workers($0)] ?? Series())
                }
            )
        }
    }

    /// The worker's default.
    private static let startThreads = 10

    private func measure(_ subject: Subject, in run: BenchmarkRun) throws -> Sample {
        switch subject {
        case .reference(let reference):
            return try reference.run(
                on: run.fixture,
                conversations: conversations,
                in: run.folder
            )
        case .start:
            let configuration = Configuration(replicas: 1, threads: Self.startThreads, batch: 64)
            return try run.trial(configuration).start()
        case .workers(let configuration):
            let trial = run.trial(configuration, analyserSeconds: analyserSeconds)
            let full = try trial.saturated(conversations)
            let rate = full[.conversationsPerSecond] ?? 1
            let calmRate = calmRate.map(Double.init) ?? rate / 10
            // As long as the run above, and at least a hundred, which make percentiles.
            let few = Int(Double(conversations) / rate * calmRate)
            let calm = try trial.calm(min(conversations, max(few, 100)), perSecond: calmRate)
            return full.merging(calm) { full, _ in full }
        }
    }
}
