import Logging
import Testing
import WorkerHealth

@testable import Concurrency

struct ReadinessTests {
    /// What is logged, event by event.
    private final class Log: Sendable {
        let events = Locked<[String]>([])

        var logger: Logger { Logger(label: "test", factory: { _ in Handler(log: self) }) }

        private struct Handler: LogHandler {
            let log: Log
            var logLevel = Logger.Level.trace
            var metadata: Logger.Metadata = [:]

            subscript(metadataKey key: String) -> Logger.Metadata.Value? {
                get { metadata[key] }
                set { metadata[key] = newValue }
            }

            func log(event: LogEvent) {
                let reasons = event.metadata?["reasons"].map { " \($0)" } ?? ""
                log.events.withLock { $0.append("\(event.message)\(reasons)") }
            }
        }
    }

    private let log = Log()

    /// Fault: every start says that the worker is not ready because of the database, which is fine.
    @Test func aStartThatGoesWellSaysOneThing() {
        let readiness = Readiness(logger: log.logger)
        #expect(readiness.reasons == [.notConsuming, .databaseUnknown])
        readiness.set(.notConsuming, false)
        readiness.set(.stalled, false)
        #expect(readiness.reasons == [.databaseUnknown])
        readiness.set(.databaseUnknown, false)
        #expect(readiness.reasons.isEmpty)
        #expect(log.events.withLock { $0 } == ["worker.ready"])
    }

    @Test func whatGetsInTheWayOfAStartIsSaidOnce() {
        let readiness = Readiness(logger: log.logger)
        readiness.replace(.databaseUnknown, with: .databaseAway)
        readiness.replace(.databaseUnknown, with: .databaseAway)
        readiness.set(.notConsuming, false)
        readiness.set(.databaseAway, false)
        let away = "the database is away"
        #expect(
            log.events.withLock { $0 } == [
                "worker.not-ready [\"not consuming from the broker\", \"\(away)\"]",
                "worker.not-ready [\"\(away)\"]", "worker.ready",
            ]
        )
    }
}
