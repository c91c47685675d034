import Concurrency
import Foundation
import Logging
import Postgres
import Storage

/// Throws away dead letters that are older than DEAD_LETTER_RETENTION_DAYS, and rows of
/// dead letters that left their queue a month ago.
package struct DeadLetterRetention {
    private let days: Int
    private let table: DeadLetterTable
    private let deadLetterQueue: DeadLetterQueue
    private let logger: Logger

    package init(_ options: DeadLetterOptions, _ sessions: SessionPool, _ logger: Logger) {
        days = options.retentionDays
        self.logger = logger
        table = DeadLetterTable(sessions: sessions, queue: options.topology.names.main)
        deadLetterQueue = DeadLetterQueue(options: options, sessions: sessions, logger: logger)
    }

    /// When dead letters without a row are looked at.
    package static var daily: Chore { Chore(every: .seconds(86_400), first: .zero ... .zero) }

    /// Goes to the queue only when a row says that a dead letter there is too old, and once a day
    /// for dead letters without a row: only a look tells how old they are.
    ///
    /// - Parameter look: `daily`, kept between two calls.
    package func expire(_ look: inout Chore) {
        do {
            try OptionalTable.using { try table.forgetSettled() }
            if days == 0 { return }
            let counts = try deadLetterQueue.counts()
            var purged = 0
            if counts.recorded != nil { purged += try expireByRows() }
            if counts.withoutRow ?? 0 > 0, look.isDue(at: .now) {
                look.done(at: .now)
                var filter = DeadLetterFilter()
                filter.before = Date(timeIntervalSinceNow: -Double(days) * 86_400)
                purged += try deadLetterQueue.purge(filter)
            }
            if purged > 0 {
                logger.notice(
                    "dead-letters.expired",
                    metadata: ["letters": .stringConvertible(purged)]
                )
            }
        } catch {
            logger.warning("dead-letters.not-expired", metadata: ["error": "\(error)"])
        }
    }

    /// Chosen: what goes within a minute; others have their turn in an hour.
    private static let mostExpired = 10_000

    private func expireByRows() throws -> Int {
        let expired = try table.expired(afterDays: days, limit: Self.mostExpired)
        if expired.isEmpty { return 0 }
        var filter = DeadLetterFilter()
        filter.ids = Set(expired.keys)
        // No dead letter behind the last of them is looked at.
        return try deadLetterQueue.purge(filter, limit: expired.values.reduce(0, +))
    }
}
