import Concurrency
import Consuming
import Logging
import WorkerHealth

/// Lets an operator take a worker off its queue and put it on again without a restart: over HTTP,
/// or by signals, SIGUSR1 for off and SIGUSR2 for on. What it has begun it finishes.
package struct ConsumptionSwitch: Sendable {
    package enum Origin: String, Sendable {
        case signal, http
    }

    let consumption: Consumption
    let readiness: Readiness
    let logger: Logger
    /// One switching at a time, so that readiness and consumption agree.
    private let turn = Locked(())

    package init(consumption: Consumption, readiness: Readiness, logger: Logger) {
        self.consumption = consumption
        self.readiness = readiness
        self.logger = logger
    }

    /// Whether an operator has switched it off, in whichever way.
    package var isOff: Bool {
        switch consumption.currentPause?.reason {
        case .operatorsWish, .operatorsRequest: true
        case .databaseAway, nil: false
        }
    }

    /// Switching it on ends a pause of either origin.
    package func set(isOn: Bool, by origin: Origin) {
        turn.withLock { _ in
            logger.notice(
                "intake.switched",
                metadata: ["on": .stringConvertible(isOn), "by": "\(origin.rawValue)"]
            )
            readiness.set(.consumptionOff, !isOn)
            if isOn {
                consumption.resume(after: .operatorsWish)
                consumption.resume(after: .operatorsRequest)
            } else {
                consumption.pause(for: origin == .signal ? .operatorsWish : .operatorsRequest)
            }
        }
    }
}
