import Foundation
import Synchronization

/// The signal that was received, 0 before one was. Written by the handler, read by `check`.
private let received = Atomic<Int32>(0)

package struct Interrupted: Error {
    package let signal: Int32
}

/// Ends a long measurement early, on a way that passes all its `defer`s: no server, schema, queue
/// or process is left behind.
package enum Interruption {
    /// From now on SIGINT and SIGTERM are found by `check`; a second one ends the process at once.
    ///
    /// A handler, and not an ignored signal, because children would inherit that.
    package static func watch() {
        _ = received.load(ordering: .relaxed)  // Made here: a handler may not.
        for number in [SIGINT, SIGTERM] {
            signal(number) { number in
                received.store(number, ordering: .relaxed)
                signal(number, SIG_DFL)
            }
        }
    }

    static func check() throws {
        let signal = received.load(ordering: .relaxed)
        if signal != 0 { throw Interrupted(signal: signal) }
    }

    static func sleep(for pause: Duration) throws {
        try check()
        Thread.sleep(forTimeInterval: pause / .seconds(1))
        try check()
    }
}
