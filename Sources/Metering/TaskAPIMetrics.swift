extension Metric {
    package static let taskQueueSize = Metric(
        "task_queue_size",
        .gauge,
        "queue",
        help: "Tasks that wait for a worker, by pool and priority."
    )
    package static let taskRequests = Metric(
        "amity_task_requests_total",
        .counter,
        "route",
        "status",
        help: "Requests about tasks that came over HTTP, by kind and by the status of the answer."
    )
    package static let taskGroup = Metric(
        "amity_task_group_requests",
        .histogram([1, 2, 5, 10, 20, 30, 40, 50]),
        help: "Requests for new tasks that one commit stored."
    )
    package static let progressStreams = Metric(
        "amity_task_event_streams",
        .gauge,
        help: "Clients that follow a task or a batch as server-sent events."
    )
    package static let taskAPI = [taskQueueSize, taskRequests, taskGroup, progressStreams]
}
