import Consuming
import TestSupport
import Testing
import WorkerHealth

@testable import Operations

struct ConsumptionSwitchTests {
    typealias Origin = ConsumptionSwitch.Origin

    /// Fault: what an operator paused by a signal cannot be resumed from the page, or the other way
    /// round; or an outage of the database counts as an operator's pause.
    @Test(arguments: [Origin.signal, .http], [Origin.signal, .http])
    func eitherWayEndsAPauseOfEither(pausing: Origin, resuming: Origin) {
        let consumption = Consumption()
        let readiness = Readiness(logger: quiet)
        let consumptionSwitch = ConsumptionSwitch(
            consumption: consumption,
            readiness: readiness,
            logger: quiet
        )
        consumption.pause(for: .databaseAway)
        #expect(!consumptionSwitch.isOff)

        consumptionSwitch.set(isOn: false, by: pausing)
        #expect(consumptionSwitch.isOff)
        #expect(readiness.reasons.contains(.consumptionOff))
        let by = StoredPause(consumption.currentPause)?.by
        #expect(by == (pausing == .signal ? "SIGUSR1" : "HTTP"))

        consumptionSwitch.set(isOn: true, by: resuming)
        #expect(!consumptionSwitch.isOff && !readiness.reasons.contains(.consumptionOff))
        #expect(consumption.currentPause?.reason == .databaseAway)
    }
}
