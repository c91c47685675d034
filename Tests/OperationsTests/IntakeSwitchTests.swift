import TestSupport
import Testing
import WorkerRuntime

@testable import Operations

struct IntakeSwitchTests {
    /// Fault: what an operator paused by a signal cannot be resumed from the page, or the other way
    /// round; or an outage of the database counts as an operator's pause.
    @Test(arguments: [IntakeSwitch.Origin.signal, .http], [IntakeSwitch.Origin.signal, .http])
    func eitherWayEndsAPauseOfEither(pausing: IntakeSwitch.Origin, resuming: IntakeSwitch.Origin) {
        let intake = Intake(bell: CountingBell())
        let readiness = Readiness(logger: quiet)
        let intakeSwitch = IntakeSwitch(intake: intake, readiness: readiness, logger: quiet)
        intake.close(.databaseAway)
        #expect(!intakeSwitch.isOff)

        intakeSwitch.set(isOn: false, by: pausing)
        #expect(intakeSwitch.isOff)
        #expect(readiness.reasons.contains(.intakeOff))
        #expect(StoredPause(intake.closure)?.by == (pausing == .signal ? "SIGUSR1" : "HTTP"))

        intakeSwitch.set(isOn: true, by: resuming)
        #expect(!intakeSwitch.isOff && !readiness.reasons.contains(.intakeOff))
        #expect(intake.closure?.reason == .databaseAway)
    }
}
