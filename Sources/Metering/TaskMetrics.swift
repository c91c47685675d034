extension Metric {
    // The first six have the names that dashboards of other task systems know.

    package static let taskSuccess = Metric(
        "task_success_total",
        .counter,
        "task_type",
        help: "Tasks that this worker completed."
    )
    package static let taskFailure = Metric(
        "task_failure_total",
        .counter,
        "task_type",
        help: "Runs of tasks that failed here, whether another run follows or not."
    )
    package static let taskDuration = Metric(
        "task_processing_duration_seconds",
        .histogram(long),
        "task_type",
        help: "Time that a run of a task took in its handler."
    )
    package static let taskThreadsActive = Metric(
        "worker_pool_active_count",
        .gauge,
        help: "Threads that run a task."
    )
    package static let taskThreadsIdle = Metric(
        "worker_pool_idle_count",
        .gauge,
        help: "Threads that are free for a task."
    )
    package static let taskThreadsLost = Metric(
        "amity_task_threads_lost",
        .gauge,
        help: """
            Threads of handlers that have not come back ten seconds after their time limit; each \
            has been replaced. With as many as the worker has threads it drains and ends.
            """
    )
    package static let taskRunsFenced = Metric(
        "amity_task_runs_fenced_total",
        .counter,
        help: "Runs whose end did not count: the task had been given to another run meanwhile."
    )
    package static let taskRunsInterrupted = Metric(
        "amity_task_runs_interrupted_total",
        .counter,
        help: "Runs that were given back, no attempt spent: by a drain, or a lost database."
    )
    package static let tasksUnhandled = Metric(
        "amity_tasks_unhandled_total",
        .counter,
        "task_type",
        help: """
            Tasks that came to this worker though it has no handler for their type; each waits \
            five seconds for its next chance, no attempt spent.
            """
    )
    package static let callbacks = Metric(
        "amity_callbacks_total",
        .counter,
        "result",
        help: """
            Requests that told a receiver of the end of a task or a batch: delivered, failed (it \
            is told again, or the last time was over), gone (it answered 410: its URL is disabled).
            """
    )
    package static let taskRuns = [
        taskSuccess, taskFailure, taskDuration, taskThreadsActive, taskThreadsIdle,
        taskThreadsLost, taskRunsFenced, taskRunsInterrupted, tasksUnhandled, callbacks,
    ]
}
