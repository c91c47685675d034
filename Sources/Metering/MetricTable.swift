/// Every metric there is, by what it is about. OpenTelemetry's names for messaging where one fits,
/// Prometheus' for processes, ours with `amity_`; base units.
extension Metric {
    package static let all = ofWorkers + taskRuns + scheduling + intake + taskAPI

    package static let ofAPI = intake + taskAPI + process

    /// Those that a worker serves.
    package static let ofWorkers: [Metric] =
        messages + time + work + servers + services + queues + process

    // MARK: Messages

    package static let consumed = Metric(
        "messaging_client_consumed_messages_total",
        .counter,
        help: "Deliveries taken from the queue, again or for the first time."
    )
    package static let tasks = Metric(
        "amity_tasks_total",
        .counter,
        "outcome",
        help: """
            Runs of messages by outcome: ok, retry, dead (lettered), duplicate (the conversation \
            was settled already), interrupted (given back, no attempt spent), cancelled (no longer \
            wanted).
            """
    )
    package static let lastDelivery = Metric(
        "amity_last_delivery_timestamp_seconds",
        .gauge,
        help: "When the last delivery came, in seconds since 1970; 0 before the first."
    )
    private static let messages = [consumed, tasks, lastDelivery]

    // MARK: Time

    static let quick = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
    ]
    static let long = [
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21600,
    ]

    package static let processDuration = Metric(
        "messaging_process_duration_seconds",
        .histogram(quick),
        help: "Time that a handler took for a batch of any size."
    )
    package static let publishToCommit = Metric(
        "amity_publish_to_commit_seconds",
        .histogram(long),
        help: """
            Time from publishing a conversation (enqueued_at in its message, else the message's \
            timestamp) until its score was committed.
            """
    )
    package static let inboxWait = Metric(
        "amity_inbox_wait_seconds",
        .histogram(quick),
        help: "Time that the first delivery of a batch had waited for a thread."
    )
    package static let settlement = Metric(
        "amity_settlement_duration_seconds",
        .histogram(quick),
        help: "Time from a delivery's arrival until its ack was sent."
    )
    package static let databaseFlight = Metric(
        "amity_database_flight_duration_seconds",
        .histogram(quick),
        "statement",
        help: """
            Time for one round trip of statements, by the first that does anything; connect for \
            opening a session.
            """
    )
    private static let time = [
        processDuration, publishToCommit, inboxWait, settlement, databaseFlight,
    ]

    // MARK: Work in hand

    package static let batchMessages = Metric(
        "amity_batch_messages",
        .histogram([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000]),
        help: "Messages of a batch; one that had to wait counts in its last one."
    )
    package static let threads = Metric(
        "amity_threads",
        .gauge,
        "state",
        help: "Threads for handlers, busy or idle."
    )
    package static let inbox = Metric(
        "amity_inbox_messages",
        .gauge,
        help: "Deliveries that wait for a thread."
    )
    package static let inFlight = Metric(
        "amity_in_flight_messages",
        .gauge,
        help: "Deliveries that are not settled yet."
    )
    package static let prefetch = Metric(
        "amity_prefetch_messages",
        .gauge,
        help: "Most deliveries that may be unsettled at once."
    )
    package static let mailbox = Metric(
        "amity_mailbox_completions",
        .gauge,
        help: "Settlements that wait for the channel thread."
    )
    private static let work = [batchMessages, threads, inbox, inFlight, prefetch, mailbox]

    // MARK: Servers

    package static let ready = Metric(
        "amity_ready",
        .gauge,
        help: "1 while the worker consumes and the database answers, else 0."
    )
    package static let notReady = Metric(
        "amity_not_ready",
        .gauge,
        "reason",
        help: "1 for each reason why the worker is not ready, else 0."
    )
    package static let reconnects = Metric(
        "amity_reconnects_total",
        .counter,
        "link",
        "cause",
        help: """
            Connections of the consumer, the publisher or to the database that were lost, or could \
            not be opened, by cause.
            """
    )
    package static let stalls = Metric(
        "amity_stalls_total",
        .counter,
        help: "Times that messages were ready, the worker was free, and none was delivered."
    )
    package static let linkProblem = Metric(
        "amity_link_problem",
        .gauge,
        "link",
        "kind",
        help: "1 while a link of the worker has a problem of that kind, else 0."
    )
    private static let servers = [ready, notReady, linkProblem, reconnects, stalls]

    // MARK: Services

    package static let serviceRequests = Metric(
        "amity_service_requests_total",
        .counter,
        "service",
        "outcome",
        help: """
            Requests to the services behind the analysis by outcome: ok, timeout, unreachable, \
            refused (401, 403), limited (429), rejected (any other status below 500), failed (500 \
            and above), bad-answer, cancelled.
            """
    )
    package static let serviceDuration = Metric(
        "amity_service_request_duration_seconds",
        .histogram([0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120]),
        "service",
        help: "Time from a request to a service until its answer, or until there was none."
    )
    package static let serviceCircuit = Metric(
        "amity_service_circuit_open",
        .gauge,
        "service",
        help: "1 while a service has failed too often and is asked by a probe at most, else 0."
    )
    private static let services = [serviceRequests, serviceDuration, serviceCircuit]

    // MARK: Queues

    package static let queueReady = Metric(
        "amity_queue_messages_ready",
        .gauge,
        "queue",
        help: "Messages in the queue that are not delivered yet."
    )
    package static let queueOldestAge = Metric(
        "amity_queue_oldest_age_seconds",
        .gauge,
        "queue",
        help: "Age of the oldest conversation that waits."
    )
    package static let deadLetters = Metric(
        "amity_dead_letters",
        .gauge,
        "queue",
        help: "Messages in the dead-letter queue."
    )
    package static let queueConsumers = Metric(
        "amity_queue_consumers",
        .gauge,
        "queue",
        help: "Consumers of the queue, workers and others."
    )
    package static let alertActive = Metric(
        "amity_alert_active",
        .gauge,
        "queue",
        "alert",
        help: "1 while an alert of the monitor is active, else 0."
    )
    private static let queues = [
        queueReady, queueOldestAge, deadLetters, queueConsumers, alertActive,
    ]

    // MARK: Process

    package static let buildInfo = Metric(
        "amity_build_info",
        .gauge,
        "version",
        help: "Always 1; its label says which version runs."
    )
    package static let cpu = Metric(
        "process_cpu_seconds_total",
        .counter,
        help: "Processor time that the process has used, user and system."
    )
    package static let residentMemory = Metric(
        "process_resident_memory_bytes",
        .gauge,
        help: "Memory that is resident."
    )
    package static let virtualMemory = Metric(
        "process_virtual_memory_bytes",
        .gauge,
        help: "Address space that is reserved."
    )
    package static let openFiles = Metric(
        "process_open_fds",
        .gauge,
        help: "Open file descriptors."
    )
    package static let mostFiles = Metric(
        "process_max_fds",
        .gauge,
        help: "Most file descriptors that may be open."
    )
    package static let startTime = Metric(
        "process_start_time_seconds",
        .gauge,
        help: "When the process began, in seconds since 1970."
    )
    package static let networkReceived = Metric(
        "process_network_receive_bytes_total",
        .counter,
        help: "Bytes that came to the process' network namespace, without its loopback interface."
    )
    package static let networkSent = Metric(
        "process_network_transmit_bytes_total",
        .counter,
        help: "Bytes that went out of it."
    )

    // MARK: What it may use

    package static let processors = Metric(
        "amity_processors",
        .gauge,
        help: "Processors that the process may use: its container's quota, or those of the machine."
    )
    package static let memoryLimit = Metric(
        "amity_memory_limit_bytes",
        .gauge,
        help: "Memory that the process may use: its container's, or that of the machine."
    )
    package static let memoryUsed = Metric(
        "amity_memory_used_ratio",
        .gauge,
        help: """
            How much of amity_memory_limit_bytes is used: by all that is in the container, without \
            files that the kernel can drop; where only the machine is a limit, by the process.
            """
    )
    package static let diskFree = Metric(
        "amity_disk_free_bytes",
        .gauge,
        "folder",
        help: """
            Free space where a folder is: working, temporary, documents (DOCUMENT_ROOT); the first \
            of those that share a file system.
            """
    )
    package static let diskSize = Metric(
        "amity_disk_size_bytes",
        .gauge,
        "folder",
        help: "All the space there, used and free."
    )
    package static let pressure = Metric(
        "amity_pressure_ratio",
        .gauge,
        "resource",
        help: """
            The share of the last ten seconds in which something in the container waited for cpu, \
            memory or io; of the machine where the kernel does not say it of containers.
            """
    )
    package static let shortOf = Metric(
        "amity_short_of",
        .gauge,
        "resource",
        help: "1 while memory, descriptors or a disk are nearly used up, else 0."
    )
    package static let threadsShare = Metric(
        "amity_threads_share_ratio",
        .gauge,
        help: "The share of the threads that may begin work: 1 unless memory is short."
    )

    package static let process = [
        buildInfo, cpu, residentMemory, virtualMemory, openFiles, mostFiles, startTime,
        networkReceived, networkSent, processors, memoryLimit, memoryUsed, diskFree, diskSize,
        pressure, shortOf, threadsShare,
    ]
}

// MARK: - Texts

extension Metric {
    private static let preface = """
        # Metrics

        Every metric that a worker serves at `/metrics`, in Prometheus' text format. Printed by
        `amity settings --metrics` from the table in `MetricTable.swift`; a test compares this page
        with it. How to scrape, and which alerts exist: [Monitoring](Monitoring.md).

        Those of intake (`amity_intake_…`, `amity_outbox_…`) and of requests about tasks
        (`task_queue_size`, `amity_task_requests_total`, `amity_task_group_requests`) are served
        where conversations and tasks come over HTTP, not by a worker; those of the scheduler of
        tasks (`amity_scheduler_…`, `amity_task_messages_…`) where it runs; those of runs
        (`task_success_total` and the like) by a worker with TASK_QUEUES; those of the process and
        its host, from `amity_build_info` on, by all. What the kernel does not tell has no series.

        Counters begin at 0 with the process and exist before their first use. A batch counts as one
        process and one wait in the inbox, each of its messages as one settlement. Durations that
        span two hosts trust both clocks.
        """

    /// The article Metrics.md, whole.
    package static var article: String {
        let rows = all.map { metric in
            let labels = metric.labels.map { "`\($0)`" }.joined(separator: ", ")
            let kind =
                switch metric.kind {
                case .counter: "counter"
                case .gauge: "gauge"
                case .histogram: "histogram"
                }
            return
                "| `\(metric.name)` | \(kind) | \(labels.isEmpty ? "–" : labels) | \(metric.help) |"
        }
        return """
            \(preface)

            | metric | kind | labels | meaning |
            |---|---|---|---|
            \(rows.joined(separator: "\n"))

            """
    }
}
