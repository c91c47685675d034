import Concurrency
import Daemon
import Operations
import PrometheusMetrics
import WorkerHealth

/// What there is to show. Routes read from here and from nowhere else; what another route wants to
/// show is one more member.
package struct RouteContext: Sendable {
    let readiness: Readiness
    let pulse: Pulse
    let health: LinkHealth
    /// The text for Prometheus, as of now.
    let metrics: @Sendable () -> String
    let operatorService: any OperatorService

    package init(
        readiness: Readiness,
        pulse: Pulse,
        health: LinkHealth = LinkHealth(),
        operatorService: any OperatorService,
        metrics: @escaping @Sendable () -> String
    ) {
        self.readiness = readiness
        self.pulse = pulse
        self.health = health
        self.operatorService = operatorService
        self.metrics = metrics
    }

    package init(of worker: Worker, metrics registry: PrometheusRegistry) {
        self.init(
            readiness: worker.readiness,
            pulse: worker.pulse,
            health: worker.health,
            operatorService: worker.operatorService
        ) {
            worker.refreshMetrics()
            return registry.text()
        }
    }
}
