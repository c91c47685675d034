import Concurrency
import CoreMetrics
import Metering

/// The instruments of a worker's tasks; those by type are made when a type first runs.
struct TaskMetrics: Sendable {
    private struct OfType {
        let success: Counter
        let failure: Counter
        let duration: CoreMetrics.Timer
    }

    private let byType = Locked<[String: OfType]>([:])
    private let active = Metric.taskThreadsActive.gauge()
    private let idle = Metric.taskThreadsIdle.gauge()
    private let lost = Metric.taskThreadsLost.gauge()
    let fenced = Metric.taskRunsFenced.counter()
    let interrupted = Metric.taskRunsInterrupted.counter()

    /// - Parameter isSuccess: nil for a run that neither completed nor failed.
    func ended(_ type: String, isSuccess: Bool?, after duration: Duration) {
        let instruments = byType.withLock { byType in
            if let found = byType[type] { return found }
            let made = OfType(
                success: Metric.taskSuccess.counter(type),
                failure: Metric.taskFailure.counter(type),
                duration: Metric.taskDuration.timer(type)
            )
            byType[type] = made
            return made
        }
        instruments.duration.record(duration)
        switch isSuccess {
        case true?: instruments.success.increment()
        case false?: instruments.failure.increment()
        case nil: break
        }
    }

    func unhandled(_ type: String) { Metric.tasksUnhandled.counter(type).increment() }

    func threads(busy: Int, of limit: Int, lost: Int) {
        self.lost.record(lost)
        active.record(busy)
        idle.record(max(0, limit - busy))
    }
}
