extension Metric {
    package static let intakeRequests = Metric(
        "amity_intake_requests_total",
        .counter,
        "status",
        help: "Conversations that came over HTTP, by the status of the answer."
    )
    package static let intakeDuration = Metric(
        "amity_intake_duration_seconds",
        .histogram(quick),
        help: "Time from a conversation's request until its answer."
    )
    package static let intakeGroup = Metric(
        "amity_intake_group_requests",
        .histogram([1, 2, 5, 10, 20, 30, 40, 50]),
        help: "Requests that one commit stored."
    )
    package static let outboxMessages = Metric(
        "amity_outbox_messages_total",
        .counter,
        "result",
        help: """
            Messages published from the outbox: confirmed, returned (no queue took them), refused \
            (by the queue), abandoned (not sent in time). All but the first are tried again.
            """
    )
    package static let outboxInHand = Metric(
        "amity_outbox_in_hand",
        .gauge,
        help: "Messages of the outbox that this process is publishing."
    )
    package static let intake = [
        intakeRequests, intakeDuration, intakeGroup, outboxMessages, outboxInHand,
    ]
}
