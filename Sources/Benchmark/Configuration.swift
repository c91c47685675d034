import Settings

/// How workers are run.
package struct Configuration: Hashable, Sendable {
    package var replicas: Int
    package var threads: Int
    package var batch: Int
    /// Whether workers find out by themselves how many of the threads to keep busy.
    package var isAutomatic = false
    /// Whether the analyser takes its time.
    package var waits: Bool

    package init(replicas: Int, threads: Int, batch: Int, waits: Bool = false) {
        self.replicas = replicas
        self.threads = threads
        self.batch = batch
        self.waits = waits
    }

    /// Every combination, the smallest first.
    ///
    /// - Parameters:
    ///   - isAutomaticToo: whether workers that find out by themselves are added.
    ///   - waits: whether the analyser takes its time.
    package static func all(
        replicas: [Int],
        threads: [Int],
        batches: [Int],
        isAutomaticToo: Bool = false,
        waits: Bool = false
    ) -> [Configuration] {
        let all = replicas.flatMap { replicas in
            threads.flatMap { threads in
                batches.map {
                    Configuration(replicas: replicas, threads: threads, batch: $0, waits: waits)
                }
            }
        }
        if !isAutomaticToo { return Set(all).sorted() }
        let automatic = all.map { one in
            var one = one
            one.threads = mostAutomaticThreads
            one.isAutomatic = true
            return one
        }
        return Set(all + automatic).sorted()
    }

    /// MESSAGE_CONCURRENCY_MAX of workers that find out by themselves. Chosen: its default.
    private static let mostAutomaticThreads = 64

    /// The worker's own default.
    package var prefetch: Int {
        Int(WorkerSettings.prefetch(threads: threads, batchLimit: batch, isImmediate: !waits))
    }

    var totalThreads: Int { replicas * threads }

    var name: String {
        "N = \(isAutomatic ? "auto" : "\(threads)"), B = \(batch)"
            + (replicas == 1 ? "" : ", \(replicas) replicas")
    }
}

extension Configuration: Comparable {
    /// By what they cost: a replica has memory of its own, a thread a session, a larger batch only
    /// longer transactions.
    package static func < (one: Configuration, other: Configuration) -> Bool {
        (one.replicas, one.threads, one.batch, one.isAutomatic ? 1 : 0)
            < (other.replicas, other.threads, other.batch, other.isAutomatic ? 1 : 0)
    }
}

/// A list as it stands on a command line, such as `1,32,128`.
package struct CountList: Sendable {
    package let values: [Int]

    /// Thousand is the most that the settings take.
    package init?(_ text: String) {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        values = parts.compactMap(\.self)
        if values.count < parts.count || !values.allSatisfy((1...1000).contains) { return nil }
    }

    package init(_ values: [Int]) {
        self.values = values
    }
}
