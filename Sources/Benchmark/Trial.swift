import Foundation

/// One run of workers in one configuration.
struct Trial {
    let fixture: BenchmarkFixture
    let servers: Servers
    let folder: URL
    let configuration: Configuration
    /// What the stand-in for an analyser takes; nil for none, as in production.
    var analyserSeconds: Double?

    /// Fills the queue and lets the workers empty it.
    ///
    /// The rate is that from the moment the first worker consumes until a look at the database,
    /// every 10 ms, finds the last conversation committed.
    ///
    /// - Parameters:
    ///   - limit: after which the run is cut off, and what is done counts; nil to insist on all.
    func saturated(_ count: Int, limit: Duration? = nil) throws -> Sample {
        try fixture.reset(to: count)
        try fixture.publish(count)
        let before = try serverSeconds()
        let workers = try startWorkers()
        let isDone = try waitUntilDone(workers, limit: limit ?? patience(for: count))
        let end = Date()
        if limit == nil, !isDone { throw try notFinished(count, workers) }
        let processed = isDone ? count : try fixture.processed()
        let begins = try workers.map { try $0.wait(for: "consumer.started").time }
        let seconds = end.timeIntervalSince(begins.min() ?? end)
        var sample = try used(by: workers, for: processed, in: seconds, since: before)
        sample[.conversationsPerSecond] = Double(processed) / seconds
        if let between = try fixture.secondsBetweenCommits(), between > 0 {
            sample[.conversationsPerSecondBetweenCommits] = Double(processed) / between
        }
        (sample[.ackP50], sample[.ackP99]) = try stop(workers)
        return sample
    }

    /// Publishes at an even pace far below what the workers can do.
    func calm(_ count: Int, perSecond rate: Double) throws -> Sample {
        try fixture.reset(to: count)
        let workers = try startWorkers()
        for worker in workers { _ = try worker.wait(for: "consumer.started") }
        let published = try fixture.publish(count, perSecond: rate)
        guard try waitUntilDone(workers, limit: patience(for: count)) else {
            throw try notFinished(count, workers)
        }
        var sample: Sample = [:]
        (sample[.calmAckP50], sample[.calmAckP99]) = try stop(workers)
        if let commits = try fixture.commits() {
            let milliseconds = published.compactMap { id, time in
                commits[id].map { $0.timeIntervalSince(time) * 1000 }
            }
            sample[.calmCommitP50] = percentile(50, of: milliseconds)
            sample[.calmCommitP99] = percentile(99, of: milliseconds)
        }
        return sample
    }

    /// From just before the process is started until its first batch is on its way to the channel
    /// thread, which acks it at once; and what it uses afterwards, when there is nothing to do.
    func start() throws -> Sample {
        try fixture.reset(to: 1)
        try fixture.publish(1)
        let worker = try newWorker(["LOG_LEVEL": "debug"])
        let handled = try worker.wait(for: "batch.handled")
        try Interruption.sleep(for: .seconds(1))
        let (used, begin) = (worker.cpuSeconds, ContinuousClock.now)
        try Interruption.sleep(for: .seconds(3))
        let idle = (worker.cpuSeconds - used) / (begin.duration(to: .now) / .seconds(1))
        let sample: Sample = [
            .startMilliseconds: handled.time.timeIntervalSince(worker.startedAt) * 1000,
            .idleCPUPercent: idle * 100,
            .peakResidentMegabytes: worker.peakResidentMegabytes,
        ]
        _ = try worker.stop()
        return sample
    }

    // MARK: Workers

    private func startWorkers() throws -> [WorkerProcess] {
        try (0..<configuration.replicas).map { _ in try newWorker() }
    }

    private func newWorker(_ extra: [String: String] = [:]) throws -> WorkerProcess {
        var environment = fixture.variables
        environment["MESSAGE_CONCURRENCY_PER_WORKER"] =
            configuration.isAutomatic ? "auto" : "\(configuration.threads)"
        environment["MESSAGE_CONCURRENCY_MAX"] = "\(configuration.threads)"
        environment["BATCH_MAX"] = "\(configuration.batch)"
        environment["HTTP_PORT"] = "\(try freePort())"
        environment.merge(extra) { _, new in new }
        let arguments =
            analyserSeconds.map { ["bench-worker", "--analyser-seconds", "\($0)"] } ?? ["worker"]
        return try WorkerProcess(arguments, environment: environment, in: folder)
    }

    private func waitUntilDone(_ workers: [WorkerProcess], limit: Duration) throws -> Bool {
        let deadline = ContinuousClock.now + limit
        while try !fixture.isDone() {
            for worker in workers { try worker.checkIsRunning() }
            if deadline <= .now { return false }
            try Interruption.sleep(for: .milliseconds(10))
        }
        return true
    }

    private func notFinished(_ count: Int, _ workers: [WorkerProcess]) throws -> BenchmarkError {
        .notFinished(processed: try fixture.processed(), of: count, log: workers[0].logTail)
    }

    /// Chosen: a minute for what may go wrong, and the pace of the slowest peer; or twice what the
    /// analyser takes for all of them.
    private func patience(for count: Int) -> Duration {
        let analysis = (analyserSeconds ?? 0) / Double(configuration.totalThreads)
        return .seconds(60) + max(.milliseconds(30), .seconds(2 * analysis)) * count
    }

    /// - Returns: milliseconds from delivery to ack, p50 and p99, of the slowest worker that had
    ///   any.
    private func stop(_ workers: [WorkerProcess]) throws -> (Double?, Double?) {
        let ends = try workers.map { try $0.stop() }
        return (
            ends.compactMap { $0?.ackSecondsP50 }.max().map { $0 * 1000 },
            ends.compactMap { $0?.ackSecondsP99 }.max().map { $0 * 1000 }
        )
    }

    // MARK: What they use

    private struct ServerSeconds {
        var database: Double?
        var broker: Double?
    }

    private func serverSeconds() throws -> ServerSeconds {
        ServerSeconds(
            database: try servers.databasePID.flatMap { try Usage.cpuSecondsOfFamily(of: $0) },
            broker: servers.brokerPID.flatMap { Usage.cpuSeconds(of: $0) }
        )
    }

    /// - Parameter count: of conversations done.
    private func used(
        by workers: [WorkerProcess],
        for count: Int,
        in seconds: Double,
        since before: ServerSeconds
    ) throws -> Sample {
        let workerSeconds = workers.reduce(0) { $0 + $1.cpuSeconds }
        let after = try serverSeconds()
        func cores(_ before: Double?, _ after: Double?) -> Double? {
            if let before, let after { (after - before) / seconds } else { nil }
        }
        var sample: Sample = [
            .peakResidentMegabytes: workers.map(\.peakResidentMegabytes).max() ?? 0,
            .workerCores: workerSeconds / seconds,
        ]
        if count > 0 {
            sample[.workerCPUSecondsPerThousand] = workerSeconds * 1000 / Double(count)
        }
        sample[.databaseCores] = cores(before.database, after.database)
        sample[.brokerCores] = cores(before.broker, after.broker)
        return sample
    }
}
