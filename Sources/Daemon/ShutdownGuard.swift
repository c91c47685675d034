import Concurrency
import Foundation
import Glibc
import Logging

/// Bounds a shutdown from outside: ends the process when it is told to stop a second time, and when
/// a drain has not come to its end long after it should have.
///
/// What is unsettled then goes back to the queue, and what is not committed has not happened.
enum ShutdownGuard {
    /// Called when the first signal has been taken.
    ///
    /// - Parameter limit: time for the whole shutdown, more than the drain's own.
    static func arm(limit: Duration, logger: Logger) {
        endAtTheNextSignal(isFirstProcess: getpid() == 1)
        let isReady = MonotonicSemaphore(value: 0)
        startThread(name: "amity-guard", stackBytes: 256 << 10) {
            takeSignals()
            isReady.signal()
            Thread.sleep(forTimeInterval: limit / .seconds(1))
            logger.critical("worker.shutdown-stuck")
            _exit(EXIT_FAILURE)
        }
        isReady.wait(atMost: .seconds(1))
    }

    /// Dispatch reads signals off a descriptor, and its threads block them, as do those that they
    /// start: where every thread does, the next signal ends nothing but in that descriptor.
    private static func takeSignals() {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGTERM)
        sigaddset(&signals, SIGINT)
        pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    }

    /// - Parameter isFirstProcess: of its namespace, as in a container: the kernel does not carry
    ///   out the default action of a signal there, so a handler ends it, with the code that a shell
    ///   would show.
    static func endAtTheNextSignal(isFirstProcess: Bool) {
        for number in [SIGTERM, SIGINT] {
            if isFirstProcess {
                endWhenDispatchReads(number)
                signal(number) { _exit(128 + $0) }
            } else {
                signal(number, SIG_DFL)
            }
        }
    }

    /// The descriptor from which Dispatch reads the signals that the service group listens to stays
    /// open: it may take a signal before the handler does.
    private static func endWhenDispatchReads(_ number: Int32) {
        let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
        source.setEventHandler {
            _ = source  // Holds it for the rest of the process.
            _exit(128 + number)
        }
        source.resume()
    }
}
