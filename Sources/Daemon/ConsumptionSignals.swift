import Operations
import UnixSignals

extension ConsumptionSwitch {
    /// Obeys SIGUSR1, off, and SIGUSR2, on, until its task is cancelled.
    func obeySignals() async {
        for await signal in await UnixSignalsSequence(trapping: .sigusr1, .sigusr2) {
            set(isOn: signal == .sigusr2, by: .signal)
        }
    }
}
