import CoreMetrics
import Foundation
import Metering

/// The instruments of a consumer.
struct ConsumerMetrics: Sendable {
    let inFlight: Gauge
    let settlement: CoreMetrics.Timer
    let stalls: Counter
    let reconnects: Reconnects
    private let consumed: Counter
    private let lastDelivery: Gauge

    init(prefetch: UInt16, factory: any MetricsFactory = MetricsSystem.factory) {
        inFlight = Metric.inFlight.gauge(in: factory)
        settlement = Metric.settlement.timer(in: factory)
        stalls = Metric.stalls.counter(in: factory)
        reconnects = Reconnects(of: "consumer", in: factory)
        consumed = Metric.consumed.counter(in: factory)
        lastDelivery = Metric.lastDelivery.gauge(in: factory)
        Metric.prefetch.gauge(in: factory).record(Int(prefetch))
    }

    /// Counts what the broker has just delivered.
    func took(_ count: Int) {
        if count == 0 { return }
        consumed.increment(by: count)
        lastDelivery.record(Date().timeIntervalSince1970)
    }
}
