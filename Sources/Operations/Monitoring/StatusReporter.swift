import AMQP
import Concurrency
import DeadLetters
import Events
import Foundation
import Postgres
import QueueAccess
import TaskTypes
import Tasks

/// Reads the status from the broker and from the database side by side, as often as its caller
/// asks. It names what one of them cannot tell, and reports the rest. Stays with its thread.
package struct StatusReporter: ~Copyable {
    struct BrokerPart {
        var queue: String
        /// nil where the broker did not answer.
        var look: QueueLook?
        var deadLetterQueue: QueuePresence?
        var isReachable = false
        var problems: [String] = []
    }

    struct DatabasePart: Sendable {
        var workers: [WorkerStats]?
        var queues: [QueueStats]?
        var oldestAge: Double?
        /// Exact; nil where there is no table.
        var deadLettersByCode: [String: Int]?
        /// nil where there are no tables of tasks.
        var tasks: [TaskQueueStats]?
        var pauses: [StatusReport.Pause]?
        var events: StatusReport.Events?
        var isReachable = false
        var problems: [String] = []
    }

    /// What is found by then is told.
    private static let patience: Duration = .seconds(5)

    private let options: QueueOptions
    private let sessions: SessionPool
    private var observer: QueueObserver

    package init(options: QueueOptions, database: ConnectionTarget) {
        self.options = options
        sessions = SessionPool(
            target: database,
            limit: 1,
            applicationName: "amity status",
            statementTimeout: Self.patience
        )
        observer = QueueObserver(options, connectionName: "amity status")
    }

    /// Blocks for some seconds at most.
    package mutating func report() -> StatusReport {
        let found = Locked<DatabasePart?>(nil)
        let done = MonotonicSemaphore(value: 0)
        startThread(name: "amity-status", stackBytes: 512 << 10) { [options, sessions] in
            let part = DatabasePart(of: options.topology.names.main, in: sessions)
            found.withLock { $0 = part }
            done.signal()
        }
        let broker = askBroker()
        done.wait(atMost: Self.patience * 2)
        let silent = DatabasePart(problems: ["database: no answer in time"])
        return StatusReport(at: Date(), broker, found.withLock { $0 } ?? silent)
    }

    private mutating func askBroker() -> BrokerPart {
        var part = BrokerPart(queue: options.topology.names.main)
        var look = QueueLook(at: Date().timeIntervalSince1970)
        do throws(AMQPError) {
            try observer.look(into: &look)
            part.isReachable = true
        } catch {
            part.problems.append("broker: \(error)")
            return part
        }
        if !look.isThere { part.problems.append("broker: there is no queue \(part.queue)") }
        do throws(ManagementError) {
            try observer.askManagement(into: &look)
        } catch {
            part.problems.append("\(error)")
        }
        part.look = look
        do throws(AMQPError) {
            let endpoint = options.endpoint.named("amity status")
            part.deadLetterQueue = try QueuePresence(of: options.topology.names.dead, at: endpoint)
        } catch {
            part.problems.append("dead letters: \(error)")
        }
        return part
    }
}

extension StatusReporter.DatabasePart {
    fileprivate init(of queue: String, in sessions: SessionPool) {
        do {
            let look = try sessions.withSession { session throws(PostgresError) in
                try QueueLook.read(of: queue, isRegistered: false, in: &session)
            }
            isReachable = true
            oldestAge = look.oldestAge
            let statistics = Statistics(sessions: sessions, queue: queue)
            workers = try statistics.workers()
            queues = try statistics.queues().map { $0.asOf(look.at) }
        } catch let error as PostgresError where error.kind == .misconfigured && isReachable {
            problems.append("workers: \(error) (amity migrate, deploy/grants.sql)")
        } catch {
            problems.append("database: \(error)")
        }
        if workers != nil { countDeadLetters(of: queue, in: sessions) }
        if isReachable { readTasks(in: sessions) }
    }

    private mutating func readTasks(in sessions: SessionPool) {
        do throws(PostgresError) {
            let store = TaskStore(sessions: sessions)
            tasks = try TaskQueueStats.read(from: store)
            if tasks == nil { return }
            pauses = try store.pauses().map(StatusReport.Pause.init)
            let statement = EventBacklog.statement
            let backlog = try store.rows(of: statement, [.integer(0)], EventBacklog.init).first
            events = backlog.map { .init(waiting: $0.count, oldestSeconds: $0.age) }
        } catch {
            problems.append("tasks: \(error)")
        }
    }

    private mutating func countDeadLetters(of queue: String, in sessions: SessionPool) {
        let table = DeadLetterTable(sessions: sessions, queue: queue)
        do throws(PostgresError) {
            let codes = try table.codes()
            deadLettersByCode = Dictionary(uniqueKeysWithValues: codes.map { ($0.code, $0.count) })
        } catch {
            problems.append("dead letters: \(error) (amity migrate, deploy/grants.sql)")
        }
    }
}

extension QueueStats {
    /// Two of the longest intervals between looks.
    private static let freshSeconds = 120.0

    /// Without what was said of a minute that has long passed.
    ///
    /// - Parameter now: seconds since 1970.
    fileprivate func asOf(_ now: Double) -> QueueStats {
        if observedAt.timeIntervalSince1970 > now - Self.freshSeconds { return self }
        var stats = self
        stats.arrivalPerSecond = nil
        stats.drainPerSecond = nil
        stats.secondsToEmpty = nil
        stats.alerts = []
        return stats
    }
}
