import Logging
import UnixSignals
import WorkerRuntime

/// Lets an operator take a worker off its queue and put it on again without a restart: SIGUSR1
/// switches its intake off, SIGUSR2 on. What it has begun it finishes.
struct IntakeSwitch {
    let intake: Intake
    let readiness: Readiness
    let logger: Logger

    /// Obeys until its task is cancelled.
    func run() async {
        for await signal in await UnixSignalsSequence(trapping: .sigusr1, .sigusr2) {
            let isOn = signal == .sigusr2
            logger.notice("intake.switched", metadata: ["on": .stringConvertible(isOn)])
            readiness.set(.intakeOff, !isOn)
            if isOn { intake.open(.operatorsWish) } else { intake.close(.operatorsWish) }
        }
    }
}
