import Tasks

/// What a worker is told of tasks.
package struct TaskSettings: Sendable {
    /// Whose tasks it runs; empty for none.
    package var pools: [String]
    package var threads: Int
    /// Zero for ever.
    package var retentionDays: Int

    init(_ values: SettingValues, _ mistakes: inout [String]) {
        pools = (values.text("TASK_QUEUES") ?? "").split(separator: ",").map { part in
            String(part.trimmed)
        }
        threads = values.integer("TASK_CONCURRENCY")
        retentionDays = values.integer("TASK_RETENTION_DAYS")
        for pool in pools where !TaskType.isPool(pool) {
            mistakes.append(
                """
                TASK_QUEUES: a pool is 1 to 40 of a to z, 0 to 9 and -, several with commas \
                between; "\(pool)" is none
                """
            )
        }
        if Set(pools).count < pools.count {
            mistakes.append("TASK_QUEUES: name each pool once")
        }
    }
}
