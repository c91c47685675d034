import CoreMetrics
import Metering

/// What the monitor tells of its queue, as metrics: the same from every worker.
struct QueueGauges {
    private let ready: Gauge
    private let oldestAge: Gauge
    private let deadLetters: Gauge
    private let consumers: Gauge
    private let alerts: [(AlertName, Gauge)]

    init(queue: String, factory: any MetricsFactory = MetricsSystem.factory) {
        ready = Metric.queueReady.gauge(queue, in: factory)
        oldestAge = Metric.queueOldestAge.gauge(queue, in: factory)
        deadLetters = Metric.deadLetters.gauge(queue, in: factory)
        consumers = Metric.queueConsumers.gauge(queue, in: factory)
        alerts = AlertName.allCases.map { name in
            (name, Metric.alertActive.gauge(queue, name.rawValue, in: factory))
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
