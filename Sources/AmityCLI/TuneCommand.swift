import ArgumentParser
import Benchmark
import Foundation

struct TuneCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tune",
        abstract: "Find replicas, threads and batch size for this machine.",
        discussion: """
            Tries every combination and recommends the smallest within 5 % of the best rate. Uses \
            servers as amity bench does. Says first how long it takes at most.
            """
    )

    @Option(help: "Conversations in a run, of twenty items each.")
    var conversations = 10_000

    @OptionGroup var load: LoadOptions

    @Option(
        help: "What an analyser takes for each conversation, in seconds. (default: there is none)"
    )
    var analyserSeconds: Double?

    @Option(help: "Numbers of workers to try, with commas between.")
    var replicas = CountList([1, 2])

    @Option(
        help: """
            MESSAGE_CONCURRENCY_PER_WORKER to try. (default: \(Self.shown(false)); \
            with an analyser \(Self.shown(true)))
            """
    )
    var threads: CountList?

    @Option(
        help: "BATCH_MAX to try. An analyser that waits makes batches of one. (default: 1,8,64,128)"
    )
    var batch: CountList?

    @Option(help: "Try everything this many times, in turn; medians count.")
    var `repeat` = 1

    @Option(help: "Most seconds of one run; with an analyser at least three times what it takes.")
    var seconds = 10.0

    @Flag(help: "JSON instead of a table.")
    var json = false

    @Flag(help: "Do not ask before using servers that are not this machine's.")
    var yes = false

    @Option(help: "Also write the curve to this file, as a picture.")
    var svg: String?

    private static func threads(_ waits: Bool) -> CountList {
        CountList(waits ? [10, 50, 100, 200, 480] : [1, 2, 4, 8, 16])
    }

    private static func shown(_ waits: Bool) -> String { threads(waits).defaultValueDescription }

    func validate() throws {
        try validateAmounts(conversations: conversations, users: load.userCount, repeats: `repeat`)
        try validateAnalyser(analyserSeconds, batch)
        if !(1...3600).contains(seconds) { throw ValidationError("--seconds takes 1 to 3600") }
    }

    func run() throws {
        try askForConsentToMeasure(isGiven: yes)
        let waits = analyserSeconds != nil
        let tune = Tune(
            conversations: conversations,
            users: load.userCount,
            workload: load.workload,
            repeats: `repeat`,
            analyserSeconds: analyserSeconds,
            secondsPerRun: seconds,
            configurations: Configuration.all(
                replicas: replicas.values,
                threads: (threads ?? Self.threads(waits)).values,
                batches: (batch ?? CountList(waits ? [1] : [1, 8, 64, 128])).values,
                waits: waits
            )
        )
        let report = try measuring {
            let report = try tune.run()
            if let svg { try Data(report.svg.utf8).write(to: URL(fileURLWithPath: svg)) }
            return report
        }
        print(json ? try report.json : report.text)
    }
}
