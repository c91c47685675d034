import Postgres
import Storage
import Tasks

/// What waits and runs of the tasks of one pool and priority.
package struct TaskQueueStats: Encodable, Sendable, Equatable {
    package var pool: String
    package var priority: String
    /// Not begun: queued, or kept back by a limit.
    package var waiting: Int
    package var running: Int
    /// Since the oldest of those that wait was made; nil where none does.
    package var oldestSeconds: Double?
    /// How many end in a minute; nil where that was not asked for.
    package var completedPerMinute: Double?
    package var failedPerMinute: Double?

    /// By pool, the most urgent first; those that have tasks.
    ///
    /// - Returns: nil where there are no tables of tasks, or none for this role.
    static func read(from store: TaskStore) throws(PostgresError) -> [TaskQueueStats]? {
        let depths = try OptionalTable.using { () throws(PostgresError) in try store.depths() }
        return depths.map { all($0) }
    }

    static func all(_ depths: [TaskQueueDepth], rates: [TaskRate]? = nil) -> [TaskQueueStats] {
        var queues = Dictionary(grouping: depths) { depth in
            TaskQueue(pool: depth.pool, priority: depth.priority)
        }
        let rates = rates.map { rates in
            let named = rates.map { (TaskQueue(pool: $0.pool, priority: $0.priority), $0) }
            return Dictionary(named, uniquingKeysWith: { first, _ in first })
        }
        // A queue may be empty because all of it has ended.
        for queue in (rates ?? [:]).keys where queues[queue] == nil { queues[queue] = [] }
        let sorted = queues.sorted {
            ($0.key.pool, $0.key.priority.rawValue) < ($1.key.pool, $1.key.priority.rawValue)
        }
        return sorted.map { queue, depths in
            let waiting = depths.filter { $0.state != .processing }
            return TaskQueueStats(
                pool: queue.pool,
                priority: queue.priority.name,
                waiting: waiting.reduce(0) { $0 + $1.count },
                running: depths.reduce(0) { $0 + ($1.state == .processing ? $1.count : 0) },
                oldestSeconds: waiting.map { max(0, $0.oldestAge) }.max(),
                completedPerMinute: rates.map { $0[queue]?.completed ?? 0 },
                failedPerMinute: rates.map { $0[queue]?.failed ?? 0 }
            )
        }
    }
}
