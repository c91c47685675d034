#if DEBUG
    import Glibc
    import Synchronization
#endif

/// Places at which a test may have the process die, as `kill -9` would: what is only in memory is
/// gone. Debug builds obey `AMITY_FAILPOINT=<name>:<n>`, to die the nth time that place is passed,
/// `<name>:<n>:hang`, to have its thread stay there for ever instead, and `AMITY_KILLER=<id>`, to
/// die whenever that conversation is scored. Release builds have none of it.
package enum Failpoint: String, CaseIterable, Sendable {
    case received
    case attemptRecorded = "attempt-recorded"
    case loaded
    case written
    case commitSent = "commit-sent"
    case committed
    case completionPosted = "completion-posted"
    case ackSent = "ack-sent"
    case retryPublished = "retry-published"
    case retryConfirmed = "retry-confirmed"
    case intakeCommitted = "intake-committed"
    case eventsConfirmed = "events-confirmed"
    case benchmarkBegun = "benchmark-begun"

    /// Those that a worker of conversations passes.
    package static let ofWorkers = allCases.filter {
        ![.intakeCommitted, .eventsConfirmed, .benchmarkBegun].contains($0)
    }

    #if DEBUG
        private static let variables = (
            failpoint: getenv("AMITY_FAILPOINT").map { String(cString: $0) },
            killer: getenv("AMITY_KILLER").map { String(cString: $0) }
        )
        private static let passed = Atomic(0)
        /// The place, and how often it may be passed and survived.
        private static let armed: (place: Failpoint, times: Int, hangs: Bool)? = {
            guard let parts = variables.failpoint?.split(separator: ":"), parts.count > 1 else {
                return nil
            }
            guard let place = Failpoint(rawValue: String(parts[0])), let times = Int(parts[1])
            else { preconditionFailure("AMITY_FAILPOINT names no place and number") }
            return (place, times, parts.dropFirst(2).first == "hang")
        }()

        package func hit() {
            guard let (place, times, hangs) = Self.armed, place == self else { return }
            let count = Self.passed.add(1, ordering: .relaxed).newValue
            guard count >= times else { return }
            while hangs { pause() }
            kill(getpid(), SIGKILL)
        }

        package static func scores(_ conversation: @autoclosure () -> String) {
            if let killer = variables.killer, conversation() == killer { kill(getpid(), SIGKILL) }
        }
    #else
        @inlinable package func hit() {}
        @inlinable package static func scores(_ conversation: @autoclosure () -> String) {}
    #endif
}
