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
            return Result { try (0..<rows.count).map { try WorkerStats(rows, $0) } }
        }
        return try read.get()
    }

    /// All queues that are watched on this database.
    package func queues() throws -> [QueueStats] {
        let stored = try sessions.withSession { session throws(PostgresError) in
            let rows = try session.flight([(MonitorSQL.queues, [])])[0]
            return (0..<rows.count).compactMap { rows.data($0, 0) }
        }
        return try stored.map { try JSONDecoder().decode(QueueStats.self, from: $0) }
    }

    /// The last hour, in steps of half a minute.
    package func history() throws -> History {
        let parameters: [Parameter] = [.text(queue), .integer(Self.historyStep)]
        let points = try sessions.withSession { session throws(PostgresError) in
            let rows = try session.flight([(MonitorSQL.history, parameters)])[0]
            return (0..<rows.count).map { History.Point(rows, $0) }
        }
        return History(queue: queue, stepSeconds: Self.historyStep, points: points)
    }
}

extension History.Point {
    fileprivate init(_ rows: Rows, _ row: Int) {
        at = Date(timeIntervalSince1970: rows.double(row, 0) ?? 0)
        done = rows.integer(row, 1)
        retried = rows.integer(row, 2)
        dead = rows.integer(row, 3)
        ackSecondsP50 = rows.double(row, 4)
        ackSecondsP99 = rows.double(row, 5)
        ready = rows.integer(row, 6)
        oldestAgeSeconds = rows.double(row, 7)
        retrying = rows.integer(row, 8)
        deadLetters = rows.integer(row, 9)
    }
}

extension WorkerStats {
    /// - Parameter rows: of `RegistrySQL.workers`.
    fileprivate init(_ rows: Rows, _ row: Int) throws {
        func text(_ column: Int) -> String { rows.string(row, column) ?? "" }
        func count(_ column: Int) -> Int { rows.integer(row, column) ?? 0 }
        func instant(_ column: Int) -> Date? {
            rows.double(row, column).map(Date.init(timeIntervalSince1970:))
        }
        func json<T: Decodable>(_ column: Int) throws -> T {
            try JSONDecoder().decode(T.self, from: rows.data(row, column) ?? Data())
        }
        let heartbeatAt = instant(7) ?? .distantPast
        let failures: [StoredFailure] = try json(21)
        let problems: [StoredProblem] = try json(22)
        let pause: StoredPause? = rows.data(row, 23) == nil ? nil : try json(23)
        self.init(
            bootID: text(0),
            host: text(1),
            processID: count(2),
            version: text(3),
            queue: text(4),
            settings: try json(5),
            startedAt: instant(6) ?? .distantPast,
            heartbeatAt: heartbeatAt,
            heartbeatAgeSeconds: rows.double(row, 8) ?? 0,
            // A state that a later version knows is none in which it is surely ready.
            state: State(rawValue: text(9)) ?? .notReady,
            reasons: try json(10),
            done: count(11),
            duplicates: count(12),
            retried: count(13),
            dead: count(14),
            interrupted: count(15),
            reconnects: count(16),
            busyThreads: count(17),
            inFlight: count(18),
            residentBytes: count(19),
            lastDeliveryAt: instant(20),
            failures: failures.map { Failure($0, toldAt: heartbeatAt) },
            problems: problems.map { Problem($0, toldAt: heartbeatAt) },
            paused: pause.map { Pause(by: $0.by, since: heartbeatAt - $0.secondsAgo) }
        )
    }
}

extension WorkerStats.Failure {
    fileprivate init(_ stored: StoredFailure, toldAt: Date) {
        at = toldAt - stored.secondsAgo
        code = stored.code
        conversation = stored.conversation
        attempts = stored.attempts
        isDead = stored.isDead
    }
}

extension WorkerStats.Problem {
    fileprivate init(_ stored: StoredProblem, toldAt: Date) {
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
