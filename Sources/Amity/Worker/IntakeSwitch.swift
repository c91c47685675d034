import Logging
import UnixSignals
import WorkerRuntime

/// Lets an operator take a worker off its queue and put it on again without a restart: over HTTP,
/// or by signals, SIGUSR1 for off and SIGUSR2 for on. What it has begun it finishes.
struct IntakeSwitch: Sendable {
    enum Origin: String, Sendable {
        case signal, http
    }

    let intake: Intake
    let readiness: Readiness
    let logger: Logger
    /// One switching at a time, so that readiness and intake agree.
    private let turn = Locked(())

    init(intake: Intake, readiness: Readiness, logger: Logger) {
        self.intake = intake
        self.readiness = readiness
        self.logger = logger
    }

    /// Whether an operator has switched it off, in whichever way.
    var isOff: Bool {
        switch intake.closure?.reason {
        case .operatorsWish, .operatorsRequest: true
        case .databaseAway, nil: false
        }
    }

    /// Switching it on ends a pause of either origin.
    func set(isOn: Bool, by origin: Origin) {
        turn.withLock { _ in
            logger.notice(
                "intake.switched",
                metadata: ["on": .stringConvertible(isOn), "by": "\(origin.rawValue)"]
            )
            readiness.set(.intakeOff, !isOn)
            if isOn {
                intake.open(.operatorsWish)
                intake.open(.operatorsRequest)
            } else {
                intake.close(origin == .signal ? .operatorsWish : .operatorsRequest)
            }
        }
    }

    /// Obeys until its task is cancelled.
    func run() async {
        for await signal in await UnixSignalsSequence(trapping: .sigusr1, .sigusr2) {
            set(isOn: signal == .sigusr2, by: .signal)
        }
    }
}
