import Concurrency
import Daemon
import FlowOperations
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
    let flowService: any FlowOperatorService

    package init(
        readiness: Readiness,
        pulse: Pulse,
        health: LinkHealth = LinkHealth(),
        operatorService: any OperatorService,
        flowService: any FlowOperatorService,
        metrics: @escaping @Sendable () -> String
    ) {
        self.readiness = readiness
        self.pulse = pulse
        self.health = health
        self.operatorService = operatorService
        self.flowService = flowService
        self.metrics = metrics
    }

    package init(of worker: Worker, metrics registry: PrometheusRegistry) {
        self.init(
            readiness: worker.readiness,
            pulse: worker.pulse,
            health: worker.health,
            operatorService: worker.operatorService,
            flowService: worker.flowService
        ) {
            worker.refreshMetrics()
            return registry.text()
        }
    }
}
