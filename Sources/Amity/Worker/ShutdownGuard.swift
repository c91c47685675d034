import Foundation
import Glibc
import Logging
import WorkerRuntime

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
        startThread(name: "amity-guard", stackBytes: 256 << 10) {
            Thread.sleep(forTimeInterval: limit / .seconds(1))
            logger.critical("worker.shutdown-stuck")
            _exit(EXIT_FAILURE)
        }
    }

    /// - Parameter isFirstProcess: of its namespace, as in a container: the kernel does not carry out the
    ///   default action of a signal there, so a handler ends it, with the code that a shell would show.
    static func endAtTheNextSignal(isFirstProcess: Bool) {
        for number in [SIGTERM, SIGINT] {
            if isFirstProcess {
                signal(number) { _exit(128 + $0) }
            } else {
                signal(number, SIG_DFL)
            }
        }
    }
}
