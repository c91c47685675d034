import Concurrency
import Consuming
import Logging
import Postgres
import Storage
import WorkerHealth

/// What keeps the database from taking conversations, as the threads notice it: logged when it
/// begins, when its cause changes, once a minute, and at its end; and, when it lasts, a reason to
/// take no more messages. See `FaultEvidence` for what counts as the database's fault.
///
/// Threads hold the messages they had in hand meanwhile and try again: they are what notices the
/// end.
package final class DatabaseOutage: Sendable {
    private struct State {
        var since: ContinuousClock.Instant?
        var blocker = Readiness.Blocker.databaseUnknown
        /// Whether only a conversation that is scored ends it: statements without rows pass all
        /// along.
        var takesARow = false
        /// Threads that hold messages and will notice the end.
        var holders = 0
        var hasAnswered = false
        var evidence = FaultEvidence()
        /// When a row was refused beside others, by what has to be apart for that.
        var refusedARowAt: [Apart: ContinuousClock.Instant] = [:]
        /// Steps that every row fails in while others pass, and what of the schema that is about.
        var refused: [FaultEvidence.Steps: String?] = [:]
    }

    /// Chosen: a restart of the database passes without the consumer being cancelled.
    private static let patience: Duration = .seconds(3)

    private let state = Locked(State())
    private let consumption: Consumption
    private let readiness: Readiness
    private let health: LinkHealth
    private let logger: Logger

    package init(
        consumption: Consumption,
        readiness: Readiness,
        health: LinkHealth = LinkHealth(),
        logger: Logger
    ) {
        self.consumption = consumption
        self.readiness = readiness
        self.health = health
        self.logger = logger
    }

    /// A thread that holds messages until the database is back, or until it lets them go.
    package struct Hold: ~Copyable {
        fileprivate let outage: DatabaseOutage

        deinit { outage.letGo() }
    }

    /// - Parameters:
    ///   - isEveryRow: whether every row meets it, and statements without rows do not.
    ///   - hold: of the calling thread, which holds its messages from now on.
    package func began(
        _ error: PostgresError,
        isEveryRow: Bool = false,
        _ hold: inout Hold?
    ) {
        if hold == nil {
            state.withLock { $0.holders += 1 }
            hold = Hold(outage: self)
        }
        let isLasting = began(error, isEveryRow: isEveryRow)
        if isLasting { consumption.pause(for: .databaseAway) }
    }

    /// - Returns: whether it has lasted for long.
    @discardableResult
    package func began(_ error: PostgresError, isEveryRow: Bool = false) -> Bool {
        let problem = error.problem
        let blocker = problem.kind.blocker
        let (before, isLasting) = state.withLock { state in
            let since = state.since ?? .now
            state.since = since
            state.takesARow = isEveryRow
            defer { state.blocker = blocker }
            return (state.blocker, since + Self.patience <= .now)
        }
        if health.failed(problem).isLogged {
            logger.error("database.unavailable", metadata: problem.metadata)
        }
        readiness.replace(before, with: blocker)
        return isLasting
    }

    /// The database has done what was asked of it.
    package func answered() { end(where: { !$0.takesARow }) { _ in } }

    /// So it has for a thread that holds no message. Where others hold some, only they know whether
    /// it is over: a full disk answers, too.
    package func seenToAnswer() {
        end(where: { !$0.takesARow && $0.holders == 0 }) { _ in }
    }

    /// Rows have passed these steps.
    package func passed(_ steps: FaultEvidence.Steps) {
        let now = ContinuousClock.now
        let accepted: [String?] = end(where: { !$0.takesARow || steps.contains(.scoring) }) {
            $0.evidence.passed(steps, at: now)
            if $0.refused.isEmpty { return [] }
            let accepted = $0.refused.filter { steps.contains($0.key) }
            for step in accepted.keys { $0.refused[step] = nil }
            return Array(accepted.values)
        }
        for subject in accepted {
            health.works(.database, subject ?? Self.unnamed)
            logger.notice("database.rows-accepted", metadata: ["table": "\(subject ?? "?")"])
        }
    }

    private func end<Value: Sendable>(
        where isOver: (State) -> Bool,
        _ body: (inout State) -> Value
    ) -> Value {
        let (began, blocker, isFirst, value) = state.withLock { state in
            let value = body(&state)
            defer { state.hasAnswered = true }
            guard isOver(state) else {
                return (ContinuousClock.Instant?.none, state.blocker, false, value)
            }
            state.takesARow = false
            return (state.since.take(), state.blocker, !state.hasAnswered, value)
        }
        guard let began else {
            if isFirst { readiness.set(.databaseUnknown, false) }
            return value
        }
        health.works(.database)
        consumption.resume(after: .databaseAway)
        readiness.set(blocker, false)
        let downtime = began.duration(to: .now) / .seconds(1)
        logger.notice(
            "database.available",
            metadata: ["downtime_seconds": .stringConvertible(downtime)]
        )
        return value
    }

    /// When the last holder lets go, consumption resumes and messages are tried: otherwise no
    /// thread would notice the end of the outage.
    private func letGo() {
        let isLast = state.withLock { state in
            state.holders -= 1
            return state.holders == 0
        }
        if isLast { consumption.resume(after: .databaseAway) }
    }
}

// MARK: - Rows

extension DatabaseOutage {
    /// Records that rows met a fault, then decides what each fault is attributed to.
    ///
    /// - Parameter begin: when the rows that were tried together began to be.
    func verdicts(
        on rows: [(id: ExactText, fault: FaultEvidence.Fault, at: ContinuousClock.Instant)],
        since begin: ContinuousClock.Instant
    ) -> [FaultEvidence.Attribution] {
        state.withLock { state in
            for (id, fault, at) in rows { state.evidence.met(fault, by: id, at: at) }
            return rows.map { state.evidence.verdict(on: $0.fault, by: $0.id, since: begin) }
        }
    }

    /// A row fails in a transaction that takes others.
    func metBesideOthers(by row: ExactText, _ apart: Apart) {
        state.withLock {
            $0.evidence.metBesideOthers(by: row, at: .now)
            $0.refusedARowAt[apart] = .now
        }
    }

    /// What is to be apart from the first, because rows were refused beside others a moment ago
    /// (chosen: ten seconds), so that more of them are likely.
    var apart: Apart? {
        state.withLock { state in
            state.refusedARowAt.filter { .now < $0.value + .seconds(10) }.keys.max()
        }
    }

    /// A step takes no row at all, while others go on: its rows wait.
    func refuses(_ step: FaultEvidence.Steps, _ problem: LinkHealth.Problem) {
        var problem = problem
        problem.subject = problem.subject ?? Self.unnamed
        state.withLock { $0.refused[step] = problem.subject }
        if health.failed(problem).isLogged {
            logger.error("database.rows-refused", metadata: problem.metadata)
        }
    }

    /// The part of the schema where the server names none.
    private static let unnamed = "schema"
}

extension LinkHealth.Problem {
    fileprivate var metadata: Logger.Metadata {
        var metadata: Logger.Metadata = ["error": "\(text)", "kind": "\(kind.rawValue)"]
        metadata["remedy"] = remedy.map { "\($0)" }
        return metadata
    }
}

extension LinkHealth.Kind {
    /// What it is to readiness where it stops the worker.
    fileprivate var blocker: Readiness.Blocker {
        switch self {
        case .refused: .databaseRefused
        case .schema: .schemaUnfit
        case .away, .blocked, .missing, .notTaken, .badAnswer, .short: .databaseAway
        }
    }
}
