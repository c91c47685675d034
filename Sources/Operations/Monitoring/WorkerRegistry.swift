import Concurrency
import Consuming
import Foundation
import HostResources
import JSON
import Logging
import Postgres
import Settings
import Storage
import WorkerHealth

/// Tells all others of this worker, in one row that it renews every few seconds and whenever its
/// readiness changes, and notices those that have fallen silent. On a thread of its own: what else
/// a worker does beside its messages may take longer than others are to wait for its word.
///
/// Nothing depends on it: where its tables are missing, one line says so, and everything else
/// works.
package final class WorkerRegistry: Sendable {
    /// After so long without a word a worker counts as lost. Chosen: six heartbeats, and longer
    /// than a restart of the database.
    static let silence: Duration = .seconds(30)
    private static let heartbeat: Duration = .seconds(5)
    /// Between two rows, however often readiness changes. Chosen: what a person takes for at once,
    /// and four small writes a second at most.
    private static let shortestPause: Duration = .milliseconds(250)
    /// Chosen: more than a person reads on a page; a worker that dies every second must not fill
    /// the database.
    private static let mostGone = 200

    /// Who this worker is.
    package struct Identity: Sendable {
        var bootID: String
        var queue: String
        var settings: WorkerStats.Settings

        package init(
            bootID: String,
            queue: String,
            settings: WorkerStats.Settings
        ) {
            self.bootID = bootID
            self.queue = queue
            self.settings = settings
        }
    }

    private let identity: Identity
    private let resources: ResourceMonitor
    private let sessions: SessionPool
    private let counts: WorkerCounts
    private let readiness: Readiness
    private let health: LinkHealth
    private let consumption: Consumption
    private let wakeup: Wakeup
    private let table: OptionalTable
    private let onLoss: @Sendable () -> Void
    private let logger: Logger
    private let startedAt = ContinuousClock.now

    /// - Parameters:
    ///   - resources: what the worker uses.
    ///   - wakeup: rings when there is something to tell at once.
    ///   - onLoss: called when others were found lost.
    package init(
        _ identity: Identity,
        sessions: SessionPool,
        counts: WorkerCounts,
        readiness: Readiness,
        health: LinkHealth,
        consumption: Consumption,
        resources: ResourceMonitor,
        wakeup: Wakeup,
        logger: Logger,
        onLoss: @escaping @Sendable () -> Void
    ) {
        table = OptionalTable(missing: "registry.off", found: "registry.on", logger: logger)
        self.identity = identity
        self.resources = resources
        self.sessions = sessions
        self.counts = counts
        self.readiness = readiness
        self.health = health
        self.consumption = consumption
        self.wakeup = wakeup
        self.logger = logger
        self.onLoss = onLoss
    }

    /// Starts its thread, which ends with the process: a worker that drains still tells of it.
    package func start() {
        startThread(name: "amity-registry", stackBytes: 512 << 10) { self.run() }
    }

    /// Says that this worker has ended in peace. May be called while its thread is at work.
    package func close() {
        do {
            try tell([(RegistrySQL.heartbeat, try heartbeat(.stopped))])
        } catch {
            // The others will find it lost.
            logNotTold(error)
        }
    }

    private func run() {
        var sampler = WorkerSampler(at: startedAt)
        var forgetting = Chore(every: .seconds(60), first: .zero ... .seconds(60))
        while true {
            let begin = ContinuousClock.now
            do {
                let isForgetting = forgetting.isDue(at: begin)
                try tell(&sampler, isForgetting: isForgetting)
                if isForgetting { forgetting.done(at: .now) }
                table.isThere()
            } catch let error as PostgresError where error.kind == .misconfigured {
                sampler.skip(counts.snapshot.totals, at: .now)
                if !table.isMissing(error) { logNotTold(error) }
            } catch {
                logNotTold(error)
            }
            wakeup.wait(for: Self.heartbeat, atLeastUntil: begin + Self.shortestPause)
        }
    }

    /// One round trip: its own row, the lost, every second time a sample, now and then what is too
    /// old.
    private func tell(_ sampler: inout WorkerSampler, isForgetting: Bool) throws {
        let snapshot = counts.snapshot
        let sample = sampler.next(snapshot.totals, counts.takeAckTimes, at: .now)
        var flight = [
            (RegistrySQL.heartbeat, try heartbeat(state, snapshot)),
            (RegistrySQL.findLost, [.double(Self.silence / .seconds(1))]),
        ]
        if let sample { flight.append((RegistrySQL.sample, parameters(sample))) }
        if isForgetting {
            flight.append((RegistrySQL.forgetGone, [.integer(Self.mostGone)]))
            flight.append((RegistrySQL.forgetSamples, []))
        }
        let lost = try tell(flight)
        sampler.stored(sample)
        for one in lost { logger.warning("registry.worker-lost", metadata: one) }
        if !lost.isEmpty { onLoss() }
    }

    /// - Returns: what is to be said of each worker that was found lost.
    @discardableResult
    private func tell(
        _ flight: [(Statement, [Parameter])]
    ) throws(PostgresError) -> [Logger.Metadata] {
        try sessions.withSession { session throws(PostgresError) in
            let answers = try session.flight(flight)
            guard answers.count > 1 else { return [] }
            return try answers[1].map(RegistrySQL.lost)
        }
    }

    /// At debug level: an outage is logged by the components whose work it stops.
    private func logNotTold(_ error: any Error) {
        logger.debug("registry.not-told", metadata: ["error": "\(error)"])
    }
}

// MARK: - Its row

extension WorkerRegistry {
    private var state: WorkerStats.State {
        let reasons = readiness.reasons
        if reasons.contains(.draining) { return .draining }
        return reasons.isEmpty ? .ready : .notReady
    }

    private func heartbeat(
        _ state: WorkerStats.State,
        _ snapshot: WorkerCounts.Snapshot? = nil
    ) throws -> [Parameter] {
        let snapshot = snapshot ?? counts.snapshot
        let totals = snapshot.totals
        let process = ProcessInfo.processInfo
        let use = resources.latest ?? ResourceUse()
        let settings = StoredSettings(settings: identity.settings, resources: use)
        return [
            .text(identity.bootID), .text(process.hostName),
            .integer(Int(process.processIdentifier)), .text(amityVersion), .text(identity.queue),
            .text(try JSONEncoder.stored.text(settings)), .double(seconds(since: startedAt)),
            .text(state.rawValue),
            .textArray(readiness.reasons.map(\.rawValue)), .integer(totals.done),
            .integer(totals.duplicates), .integer(totals.retried), .integer(totals.dead),
            .integer(totals.interrupted), .integer(totals.reconnects),
            .integer(snapshot.busyThreads), .integer(snapshot.inFlight),
            .integer(use.memory?.residentBytes ?? 0),
            snapshot.lastDeliveryAt.map { .double(seconds(since: $0)) } ?? .null,
            .text(
                try JSONEncoder.stored.text(snapshot.failures.reversed().map(StoredFailure.init))
            ),
            .text(try JSONEncoder.stored.text(health.reports.map(StoredProblem.init))),
            try StoredPause(consumption.currentPause).map { .text(try JSONEncoder.stored.text($0)) }
                ?? .null,
        ]
    }

    private func parameters(_ sample: WorkerSampler.Sample) -> [Parameter] {
        [
            .text(identity.bootID), .text(identity.queue), .integer(sample.done),
            .integer(sample.retried), .integer(sample.dead), .integer(sample.ackTimes?.count ?? 0),
            sample.ackTimes.map { .double($0.p50) } ?? .null,
            sample.ackTimes.map { .double($0.p99) } ?? .null,
        ]
    }

    /// Processes count the time for themselves, and the database says when it is now.
    private func seconds(since instant: ContinuousClock.Instant) -> Double {
        instant.duration(to: .now) / .seconds(1)
    }
}
