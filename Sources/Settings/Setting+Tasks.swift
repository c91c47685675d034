/// The rows about tasks.
extension Setting {
    static let tasks: [Setting] = [
        .init(
            "TASK_QUEUES",
            .text,
            """
            pools whose tasks the worker runs, with commas between, e.g. default,gpu; not set is \
            none: the worker scores conversations and needs no table of tasks
            """
        ),
        .init(
            "TASK_CONCURRENCY",
            .integer(1...512),
            unit: "threads",
            default: "10",
            "tasks that the worker runs at once, each on a thread and a database session of its own"
        ),
        .init(
            "TASK_RETENTION_DAYS",
            .integer(0...3650),
            unit: "days",
            default: "7",
            "age at which tasks that have ended are deleted; 0 for never"
        ),
    ]
}
