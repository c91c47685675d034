import Logging
import Postgres
import WorkerRuntime

/// Logs the database's absence once on entry and once on exit, however many threads notice it.
final class OutageLog: Sendable {
    private let since = Locked<ContinuousClock.Instant?>(nil)
    private let logger: Logger

    init(logger: Logger) {
        self.logger = logger
    }

    func began(_ error: PostgresError) {
        let isFirst = since.withLock { since in
            if since != nil { return false }
            since = .now
            return true
        }
        if isFirst { logger.error("database.unavailable", metadata: ["error": "\(error)"]) }
    }

    func ended() {
        guard let began = since.withLock({ $0.take() }) else { return }
        let downtime = began.duration(to: .now) / .seconds(1)
        logger.notice(
            "database.available",
            metadata: ["downtime_seconds": .stringConvertible(downtime)]
        )
    }
}
