import Foundation
import Postgres

/// What workers have told of themselves and of their queue, read from the database in one bounded
/// query each. Blocks the calling thread.
///
/// Where `amity migrate` has not been, or grants are missing, each throws a `PostgresError` whose
/// kind is `misconfigured`.
package struct Statistics: Sendable {
    private let sessions: SessionPool
    private let queue: String

    /// Chosen: more workers than any deployment runs, including those that have ended.
    private static let mostWorkers = 1000
    private static let historyStep = 30

    /// - Parameter queue: whose history is told.
    package init(sessions: SessionPool, queue: String) {
        self.sessions = sessions
        self.queue = queue
    }

    /// All workers on this database, the living first; those that ended in peace for an hour, the
    /// lost for a day.
    package func workers() throws -> [WorkerStats] {
        let silence = WorkerRegistry.silence / .seconds(1)
        let parameters: [Parameter] = [.double(silence), .integer(Self.mostWorkers)]
        let read = try sessions.withSession { session throws(PostgresError) in
            let rows = try session.flight([(RegistrySQL.workers, parameters)])[0]
            return Result { try rows.map(RegistrySQL.worker) }
        }
        return try read.get()
    }

    /// All queues that are watched on this database.
    package func queues() throws -> [QueueStats] {
        let read = try sessions.withSession { session throws(PostgresError) in
            let rows = try session.flight([(MonitorSQL.queues, [])])[0]
            return Result { try rows.map(MonitorSQL.stats) }
        }
        return try read.get()
    }

    /// The last hour, in steps of half a minute.
    package func history() throws -> History {
        let parameters: [Parameter] = [.text(queue), .integer(Self.historyStep)]
        let points = try sessions.withSession { session throws(PostgresError) in
            try session.flight([(MonitorSQL.history, parameters)])[0].map(MonitorSQL.point)
        }
        return History(queue: queue, stepSeconds: Self.historyStep, points: points)
    }
}

extension WorkerStats.Failure {
    init(_ stored: StoredFailure, toldAt: Date) {
        at = toldAt - stored.secondsAgo
        code = stored.code
        conversation = stored.conversation
        attempts = stored.attempts
        isDead = stored.isDead
    }
}

extension WorkerStats.Problem {
    init(_ stored: StoredProblem, toldAt: Date) {
        link = stored.link
        subject = stored.subject
        kind = stored.kind
        code = stored.code
        text = stored.text
        remedy = stored.remedy
        since = toldAt - stored.secondsAgo
        count = stored.count
    }
}
