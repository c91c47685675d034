import Metrics

/// What the monitor tells of its queue, as metrics: the same from every worker.
struct QueueGauges {
    private let ready: Gauge
    private let oldestAge: Gauge
    private let deadLetters: Gauge
    private let consumers: Gauge
    private let alerts: [(AlertName, Gauge)]

    init(queue: String, factory: any MetricsFactory = MetricsSystem.factory) {
        let dimensions = [("queue", queue)]
        ready = Gauge(label: "amity_queue_messages_ready", dimensions: dimensions, factory: factory)
        oldestAge = Gauge(
            label: "amity_queue_oldest_age_seconds",
            dimensions: dimensions,
            factory: factory
        )
        deadLetters = Gauge(label: "amity_dead_letters", dimensions: dimensions, factory: factory)
        consumers = Gauge(label: "amity_queue_consumers", dimensions: dimensions, factory: factory)
        alerts = AlertName.allCases.map { name in
            let labels = dimensions + [("alert", name.rawValue)]
            return (name, Gauge(label: "amity_alert_active", dimensions: labels, factory: factory))
        }
    }

    /// What is not known keeps the value it had.
    func record(_ stats: QueueStats) {
        if let value = stats.ready { ready.record(value) }
        if let value = stats.oldestAgeSeconds { oldestAge.record(value) }
        if let value = stats.deadLetters { deadLetters.record(value) }
        if let value = stats.consumers { consumers.record(value) }
        let active = Set(stats.alerts.map(\.name))
        for (name, gauge) in alerts { gauge.record(active.contains(name) ? 1 : 0) }
    }
}
