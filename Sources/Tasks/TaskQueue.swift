/// A queue of the broker: the tasks of a pool that have the same priority.
package struct TaskQueue: Hashable, Sendable {
    package var pool: String
    package var priority: Priority

    package init(pool: String, priority: Priority) {
        self.pool = pool
        self.priority = priority
    }

    /// With which every task queue's name begins.
    package static let prefix = "amity_tasks."

    package var name: String { "\(Self.prefix)\(pool).\(priority.name)" }

    /// All of a pool, the most urgent one first.
    package static func all(of pool: String) -> [TaskQueue] {
        Priority.allCases.map { TaskQueue(pool: pool, priority: $0) }
    }
}

extension Publication {
    package var queue: TaskQueue { TaskQueue(pool: pool, priority: priority) }
}

/// Takes messages to the broker, and sets their rows to rest when it has confirmed them.
package protocol TaskOutlet: Sendable {
    /// Returns at once. What it has no room for stays due: the scheduler publishes it.
    ///
    /// - Parameter leasedAt: when the rows' lease began, or earlier; it lasts five seconds.
    func publish(_ publications: [Publication], leasedAt: ContinuousClock.Instant)
}
