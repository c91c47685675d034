import CoreMetrics
import Metering

/// The instruments of one service, made once.
struct ServiceMetrics: Sendable {
    /// What became of a request. As a metric's label has it.
    enum Outcome: String, CaseIterable {
        case ok, timeout, unreachable, refused, limited, rejected, failed, cancelled
        case badAnswer = "bad-answer"
    }

    private let requests: [Outcome: Counter]
    private let duration: CoreMetrics.Timer
    private let circuit: Gauge

    init(of service: Service, in factory: any MetricsFactory) {
        let name = service.link.rawValue
        requests = Dictionary(
            uniqueKeysWithValues: Outcome.allCases.map { outcome in
                (outcome, Metric.serviceRequests.counter(name, outcome.rawValue, in: factory))
            }
        )
        duration = Metric.serviceDuration.timer(name, in: factory)
        circuit = Metric.serviceCircuit.gauge(name, in: factory)
        circuit.record(0)
    }

    /// - Parameter error: nil where it was answered.
    func count(_ error: ServiceError?, after time: Duration) {
        requests[error?.outcome ?? .ok]?.increment()
        duration.record(time)
    }

    func circuit(isOpen: Bool) { circuit.record(isOpen ? 1 : 0) }
}

extension ServiceError {
    fileprivate var outcome: ServiceMetrics.Outcome {
        switch self {
        case .timeout: .timeout
        case .unreachable: .unreachable
        case .status(401), .status(403): .refused
        case .status(429): .limited
        case .status(let status): status >= 500 ? .failed : .rejected
        case .tooLarge, .malformed, .unusable: .badAnswer
        // Not asked at all, so nothing is counted as it.
        case .circuitOpen, .cancelled: .cancelled
        }
    }
}
