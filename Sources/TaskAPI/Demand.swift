import Foundation
import Tasks

/// How many workers a backlog needs. Pure.
struct Demand {
    /// Within which a backlog is to be worked off, in seconds. Chosen: new workers pay where they
    /// have something to do for longer than their start takes.
    static let target = 60.0
    /// Of a worker about which nothing is known: the default of `TASK_CONCURRENCY`.
    private static let usualThreads = 10.0
    /// Of a run while none has ended yet, in seconds. Chosen.
    private static let usualSeconds = 1.0

    /// Tasks that wait for a worker.
    var backlog: Int
    var running: Int
    /// What a run takes; nil where that is not known.
    var seconds: Double?
    /// Of each worker.
    var threads: Double

    /// What runs keeps its threads; the others get as many as do the backlog in time. As many
    /// threads as there are tasks are enough, and one worker while there is anything to do.
    ///
    /// - Parameter target: in seconds.
    func workers(within target: Double) -> Int {
        if backlog + running == 0 { return 0 }
        let more = Double(backlog) * max(0.001, seconds ?? Self.usualSeconds) / target
        let needed = Double(running) + min(Double(backlog), more)
        return max(1, Int((needed / threads).rounded(.up)))
    }

    /// What the workers of a pool have in the mean.
    static func threads(of workers: [WorkerLease], pool: String?) -> Double {
        struct Facts: Decodable {
            var pools: [String]
            var threads: Int
        }
        // A worker of another version may tell other facts: it counts as one that tells none.
        let known = workers.compactMap { worker in
            try? JSONDecoder().decode(Facts.self, from: Data((worker.facts ?? "").utf8))
        }.filter { facts in facts.threads > 0 && pool.map(facts.pools.contains) != false }
        if known.isEmpty { return usualThreads }
        return Double(known.reduce(0) { $0 + $1.threads }) / Double(known.count)
    }
}
