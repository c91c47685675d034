import ArgumentParser
import Benchmark

/// What `amity bench` and `amity tune` run in the place of `amity worker` when there is to be an
/// analyser that waits.
struct BenchWorker: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench-worker",
        abstract: "A worker with a stand-in for an analyser.",
        shouldDisplay: false
    )

    @Option(help: "What the analyser takes.")
    var analyserSeconds: Double

    func run() async throws {
        try await runWorker(analyser: WaitingAnalyser(seconds: analyserSeconds))
    }
}
