import Logging
import Postgres
import WorkerRuntime

/// The database's absence, as the threads notice it: logged once on entry and once on exit, and, when
/// it lasts, a reason to take no more messages.
///
/// Threads hold the messages they had in hand meanwhile and try again: they are what notices the end.
package final class DatabaseOutage: Sendable {
    private struct State {
        var since: ContinuousClock.Instant?
        /// Threads that hold messages and will notice the end.
        var holders = 0
        var hasAnswered = false
    }

    /// Chosen: a restart of the database passes without the consumer being cancelled.
    private static let patience: Duration = .seconds(3)

    private let state = Locked(State())
    private let intake: Intake
    private let readiness: Readiness
    private let health: LinkHealth
    private let logger: Logger

    package init(
        intake: Intake,
        readiness: Readiness,
        health: LinkHealth = LinkHealth(),
        logger: Logger
    ) {
        self.intake = intake
        self.readiness = readiness
        self.health = health
        self.logger = logger
    }

    /// A thread that holds messages until the database is back, or until it lets them go.
    package struct Hold: ~Copyable {
        fileprivate let outage: DatabaseOutage

        deinit { outage.letGo() }
    }

    /// - Parameter hold: of the calling thread, which holds its messages from now on.
    package func began(_ error: PostgresError, _ hold: inout Hold?) {
        if hold == nil {
            state.withLock { $0.holders += 1 }
            hold = Hold(outage: self)
        }
        let isLasting = began(error)
        if isLasting { intake.close(.databaseAway) }
    }

    /// - Returns: whether it has lasted for long.
    @discardableResult
    package func began(_ error: PostgresError) -> Bool {
        let (isFirst, isLasting) = state.withLock { state in
            let isFirst = state.since == nil
            let since = state.since ?? .now
            state.since = since
            return (isFirst, since + Self.patience <= .now)
        }
        if health.failed(error.problem).isLogged {
            logger.error("database.unavailable", metadata: ["error": "\(error)"])
        }
        if isFirst { readiness.replace(.databaseUnknown, with: .databaseAway) }
        return isLasting
    }

    package func ended() {
        let (began, isFirst) = state.withLock { state in
            defer { state.hasAnswered = true }
            return (state.since.take(), !state.hasAnswered)
        }
        guard let began else {
            if isFirst { readiness.set(.databaseUnknown, false) }
            return
        }
        health.works(.database)
        intake.open(.databaseAway)
        readiness.set(.databaseAway, false)
        let downtime = began.duration(to: .now) / .seconds(1)
        logger.notice(
            "database.available",
            metadata: ["downtime_seconds": .stringConvertible(downtime)]
        )
    }

    /// Somebody who holds no message has had an answer. Where others hold some, only they know whether
    /// it is over: a full disk answers, too.
    package func seenToAnswer() {
        if state.withLock({ $0.holders == 0 }) { ended() }
    }

    /// With the last one that lets go, messages come again, to be tried: otherwise nobody would notice
    /// the end.
    private func letGo() {
        let isLast = state.withLock { state in
            state.holders -= 1
            return state.holders == 0
        }
        if isLast { intake.open(.databaseAway) }
    }
}

extension PostgresError {
    /// As the worker's health has it.
    var problem: LinkHealth.Problem {
        .init(
            link: .database,
            kind: problemKind,
            code: sqlState.isEmpty ? "no answer" : sqlState,
            text: "\(self)"
        )
    }

    private var problemKind: LinkHealth.Kind {
        switch kind {
        case .misconfigured: sqlState.hasPrefix("42") ? .schema : .refused
        case .unavailable, .conflict, .timeout, .permanent, .unknown: .away
        }
    }
}
