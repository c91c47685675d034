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
            """
            tasks that the worker runs at once, each on a thread and a database session of its \
            own; from four on, while critical or high tasks come, one in ten is kept for those
            """
        ),
        .init(
            "TASK_RETENTION_DAYS",
            .integer(0...3650),
            unit: "days",
            default: "7",
            "age at which tasks that have ended are deleted; 0 for never"
        ),
        .init(
            "EVENTS",
            .text,
            default: "off",
            """
            what is published on the exchange amity.events: tasks, scores, or both with a comma \
            between; the same for all processes; see the article Events
            """
        ),
        .init(
            "ALERT_TASK_QUEUE_DEPTH",
            .integer(0...1_000_000_000),
            unit: "tasks",
            default: "10000",
            "alert at this many waiting tasks of one pool and priority; 0 for never"
        ),
        .init(
            "ALERT_TASK_WAIT_SECONDS",
            .integer(0...31_536_000),
            unit: "s",
            default: "900",
            "alert when a task of one pool and priority has waited so long to begin; 0 for never"
        ),
        .init(
            "TASK_COMMANDS",
            .text,
            "file with the commands that run tasks on this worker, as JSON: see the article Tasks"
        ),
        .init(
            "HTTP_TARGET_HOSTS",
            .text,
            """
            hosts, host:port or CIDR, with commas between, that services for tasks and callbacks \
            may have although they are not public, also without TLS; by default none
            """
        ),
        .init(
            "DOCUMENT_ROOT",
            .text,
            "folder below which document_processing reads files; not set: this worker runs none"
        ),
        .init(
            "EMBEDDINGS_BASE_URL",
            .text,
            """
            service with OpenAI's interface that makes vectors of documents' chunks; /embeddings \
            is added
            """
        ),
        .init("EMBEDDINGS_MODEL", .text, "model to ask for; required with EMBEDDINGS_BASE_URL"),
        .init("EMBEDDINGS_API_KEY", .secret, "key for that service"),
    ]
}
