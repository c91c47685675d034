import DeadLetters
import Foundation
import TaskTypes

/// What is queued, running and failing, as far as it could be found out.
package struct StatusReport: Encodable, Sendable {
    package struct Failure: Encodable, Sendable {
        package var worker: String
        package var at: Date
        package var code: String
        /// nil when the message names none.
        package var conversation: String?
        package var attempts: Int
        package var isDead: Bool
    }

    /// What an operator has paused of tasks.
    package struct Pause: Encodable, Sendable {
        /// `type`, `key` or `pool`.
        package var kind: String
        package var name: String
        package var by: String
        package var since: Date

        init(_ pause: TaskPause) {
            (by, since) = (pause.by, pause.since)
            switch pause.subject {
            case .type(let name): (kind, self.name) = ("type", name)
            case .key(let name): (kind, self.name) = ("key", name)
            case .pool(let name): (kind, self.name) = ("pool", name)
            }
        }
    }

    package struct Events: Encodable, Sendable {
        /// At most a hundred thousand.
        package var waiting: Int
        /// nil where none waits.
        package var oldestSeconds: Double?
    }

    package var at: Date
    /// Messages that wait; nil, as those below, where it could not be found out.
    package var queued: Int?
    /// Messages that workers have in hand.
    package var running: Int?
    /// Messages that wait in delay queues to be tried again.
    package var failing: Int?
    package var queue: QueueStats
    /// On this queue; nil where the registry cannot be read.
    package var workers: [WorkerStats]?
    /// Of the last day, the newest first.
    package var failures: [Failure]
    /// Of all dead letters that have a row.
    package var deadLettersByCode: [String: Int]?
    /// Messages in the dead-letter queue that no row speaks of.
    package var deadLettersWithoutRow: Int?
    /// Messages that rows speak of and that are not in the queue any more.
    package var deadLettersGone: Int?
    /// Pools and priorities that have tasks; nil where there are no tables of them.
    package var tasks: [TaskQueueStats]?
    /// nil where it could not be found out.
    package var pauses: [Pause]?
    /// Events that wait to be sent; nil where there are no tables of tasks.
    package var events: Events?
    /// What could not be found out, and why.
    package var problems: [String]
    /// Whether the broker and the database have both answered.
    package var isComplete: Bool
}

extension StatusReport {
    /// Chosen: what fits a page.
    private static let failuresShown = 10

    init(at now: Date, _ broker: StatusReporter.BrokerPart, _ database: StatusReporter.DatabasePart)
    {
        at = now
        let name = broker.queue
        let mine = database.workers?.filter { $0.queue == name }
        workers = mine
        queue = Self.queue(broker, database)
        queued = queue.ready
        let inHand = mine.map { $0.filter(\.state.isLiving).reduce(0) { $0 + $1.inFlight } }
        if queue.unackedSource != .management {
            queue.unacked = inHand
            queue.unackedSource = inHand.map { _ in .workers }
        }
        running = queue.unacked
        failing = queue.ready == nil ? nil : queue.retrying.reduce(0) { $0 + $1.messages }
        let all = (mine ?? []).flatMap { worker in
            worker.failures.map { Failure($0, of: worker.name) }
        }
        failures = Array(all.sorted { $0.at > $1.at }.prefix(Self.failuresShown))
        deadLettersByCode = database.deadLettersByCode
        if let presence = broker.deadLetterQueue, database.isReachable {
            let recorded = database.deadLettersByCode?.values.reduce(0, +)
            let counts = DeadLetterCounts(recorded: recorded, presence: presence)
            deadLettersWithoutRow = counts.withoutRow
            deadLettersGone = counts.gone
        }
        (tasks, pauses, events) = (database.tasks, database.pauses, database.events)
        problems = broker.problems + database.problems
        isComplete = broker.isReachable && database.isReachable
    }

    /// The figures observed just now, with the rates and alerts that the leading worker stored.
    private static func queue(
        _ broker: StatusReporter.BrokerPart,
        _ database: StatusReporter.DatabasePart
    ) -> QueueStats {
        let stored = database.queues?.first { $0.queue == broker.queue }
        guard let look = broker.look else {
            return stored
                ?? QueueStats(queue: broker.queue, observedAt: Date(), retrying: [], alerts: [])
        }
        var stats =
            stored ?? QueueStats(queue: broker.queue, observedAt: Date(), retrying: [], alerts: [])
        stats.observedAt = Date()
        stats.ready = look.ready
        stats.consumers = look.consumers
        stats.retrying = look.retrying
        stats.deadLetters = look.deadLetters
        stats.unacked = look.unacked
        stats.unackedSource = look.unackedSource
        stats.oldestAgeSeconds = database.oldestAge
        return stats
    }
}

extension StatusReport.Failure {
    fileprivate init(_ failure: WorkerStats.Failure, of worker: String) {
        self.worker = worker
        at = failure.at
        code = failure.code
        conversation = failure.conversation
        attempts = failure.attempts
        isDead = failure.isDead
    }
}
