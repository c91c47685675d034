import Postgres
import Tasks

/// Tasks of one pool and priority that wait for a worker.
struct QueuedTasks: Sendable, Equatable {
    var pool: String
    var priority: Priority
    var count: Int
    var newest: TaskID
}

/// What the process that watches the queues for all has stored.
struct StoredWatch: Sendable {
    var holder: TaskID
    /// Whether its lease has not run out.
    var isLiving: Bool
    /// JSON.
    var memory: String?
}

extension TaskStore {
    private static let watchLease = "task-watch"

    /// Queues that have tasks that wait.
    func queued() throws(PostgresError) -> [QueuedTasks] {
        try rows(of: WatchSQL.queued, []) { row throws(PostgresError) in
            QueuedTasks(
                pool: try row.text() ?? "",
                priority: try row.integer().flatMap(Priority.init(rawValue:)) ?? .normal,
                count: try row.integer() ?? 0,
                newest: TaskID(stored: try row.text() ?? "")
            )
        }
    }

    func watch() throws(PostgresError) -> StoredWatch? {
        try rows(of: WatchSQL.read, [.text(Self.watchLease)]) { row throws(PostgresError) in
            StoredWatch(
                holder: TaskID(stored: try row.text() ?? ""),
                isLiving: try row.bool() ?? false,
                memory: try row.text()
            )
        }.first
    }

    /// Takes or renews the lease, with what its holder remembers.
    ///
    /// - Returns: whether `holder` has it.
    func keepWatch(
        _ holder: TaskID,
        for seconds: Double,
        memory: String
    ) throws(PostgresError) -> Bool {
        let parameters: [Parameter] = [
            .text(Self.watchLease), .id(holder), .double(seconds), .text(memory),
        ]
        return try count(of: WorkerSQL.renew, parameters) > 0
    }

    /// Another process may watch at once.
    ///
    /// - Parameter keepsMemory: whether it goes on from what is stored.
    func releaseWatch(_ holder: TaskID, keepsMemory: Bool) throws(PostgresError) {
        let statement = keepsMemory ? WatchSQL.end : WorkerSQL.release
        try count(of: statement, [.text(Self.watchLease), .id(holder)])
    }
}

private enum WatchSQL {
    static let queued = Statement(
        "queued_tasks",
        """
        SELECT pool, priority, count(*), max(id::text) FROM amity_tasks
        WHERE state IN (\(TaskSQL.inPool)) AND state <> \(TaskSQL.processing)
        GROUP BY pool, priority
        """
    )

    /// $1: name.
    static let read = Statement(
        "read_task_watch",
        """
        SELECT holder, lease_until > clock_timestamp(), facts::text FROM amity_leases
        WHERE name = $1
        """
    )

    /// $1: name; $2: holder.
    static let end = Statement(
        "end_task_watch",
        """
        UPDATE amity_leases SET lease_until = clock_timestamp()
        WHERE name = $1 AND holder = $2::uuid
        """,
        commits: true
    )
}
