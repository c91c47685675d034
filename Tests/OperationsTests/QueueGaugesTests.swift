import Foundation
import MetricsTestKit
import Testing

@testable import Operations

struct QueueGaugesTests {
    /// Fault: a dashboard asks for a name that no gauge has, and stays empty.
    @Test func theGaugesHaveTheirDocumentedNames() throws {
        let metrics = TestMetrics()
        let gauges = QueueGauges(queue: "q", factory: metrics)
        var stats = QueueStats(
            queue: "q",
            observedAt: Date(),
            ready: 5,
            consumers: 2,
            oldestAgeSeconds: 1.5,
            retrying: [],
            deadLetters: 3,
            alerts: [.init(name: .deadLetters, since: Date(), value: 3, threshold: 1)]
        )
        gauges.record(stats)
        func value(_ label: String, _ alert: String? = nil) throws -> Double? {
            let dimensions = [("queue", "q")] + (alert.map { [("alert", $0)] } ?? [])
            return try metrics.expectRecorder(label, dimensions).lastValue
        }
        #expect(try value("amity_queue_messages_ready") == 5)
        #expect(try value("amity_queue_oldest_age_seconds") == 1.5)
        #expect(try value("amity_dead_letters") == 3)
        #expect(try value("amity_queue_consumers") == 2)
        #expect(try value("amity_alert_active", "dead_letters") == 1)
        #expect(try value("amity_alert_active", "stalled") == 0)
        (stats.alerts, stats.ready) = ([], nil)
        gauges.record(stats)
        #expect(try value("amity_alert_active", "dead_letters") == 0)
        #expect(try value("amity_queue_messages_ready") == 5, "not known, so as it was")
    }
}
