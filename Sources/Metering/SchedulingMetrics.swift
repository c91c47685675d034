extension Metric {
    package static let taskMessages = Metric(
        "amity_task_messages_total",
        .counter,
        "result",
        help: """
            Messages of tasks that were published: confirmed, returned (no queue took them), \
            refused (by the queue), abandoned (not sent in time). All but the first are tried again.
            """
    )
    package static let taskMessagesInHand = Metric(
        "amity_task_messages_in_hand",
        .gauge,
        help: "Messages of tasks that this process is publishing."
    )
    package static let taskMessagesLost = Metric(
        "amity_task_messages_lost_total",
        .counter,
        help: "Tasks whose messages were missing on the broker, and were published again."
    )
    package static let wakesLost = Metric(
        "amity_wakes_lost_total",
        .counter,
        help: """
            Tasks that waited for others although these had ended, found each minute: a defect, or \
            a process of a version that knows no needs.
            """
    )
    package static let taskQueuesAside = Metric(
        "amity_task_queues_aside",
        .gauge,
        help: "Queues of tasks that are not there, cannot be declared, and wait for eight seconds."
    )
    package static let schedulerLeads = Metric(
        "amity_scheduler_leads",
        .gauge,
        help: "1 while this process is the one that schedules, else 0."
    )
    package static let schedulerTurn = Metric(
        "amity_scheduler_turn_duration_seconds",
        .histogram(quick),
        help: "Time that a turn of the scheduler took."
    )
    package static let schedulerLateness = Metric(
        "amity_scheduler_lateness_seconds",
        .histogram([0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600]),
        help: "Time from when a task was due until the scheduler took it."
    )
    package static let schedulerMoved = Metric(
        "amity_scheduler_moved_tasks_total",
        .counter,
        "reason",
        help: """
            Tasks that the scheduler has moved: deadline (they failed), timeout (a service did not \
            report), lost (their worker is gone), need_failed (a task that they needed has not \
            succeeded: they were cancelled).
            """
    )
    package static let scheduleTicks = Metric(
        "amity_schedule_ticks_total",
        .counter,
        "result",
        help: """
            Ticks of schedules: made (a task), unique (none: a task with the same unique key \
            lives), failed (none, and it is tried again).
            """
    )
    package static let eventsSent = Metric(
        "amity_events_sent_total",
        .counter,
        "result",
        help: """
            Events of the outbox that this process has published: confirmed, refused (by a bound \
            queue that is full; tried again).
            """
    )
    package static let eventsWaiting = Metric(
        "amity_events_waiting",
        .gauge,
        help: """
            Events in the outbox, at most 100,000; told by the process that schedules, every five \
            seconds.
            """
    )
    package static let eventsAge = Metric(
        "amity_events_oldest_age_seconds",
        .gauge,
        help: "Age of the oldest event in the outbox; told like `amity_events_waiting`."
    )
    package static let scheduling = [
        taskMessages, taskMessagesInHand, taskMessagesLost, wakesLost, taskQueuesAside,
        schedulerLeads, schedulerTurn, schedulerLateness, schedulerMoved, scheduleTicks,
        eventsSent, eventsWaiting, eventsAge,
    ]
}
