import Concurrency
import Logging
import Postgres

/// A table of Amity's own that work goes on without: a warning when it turns out to be missing, or
/// not to be had, and one line when it is back.
package final class OptionalTable: Sendable {
    private let missing: Logger.Message
    private let found: Logger.Message?
    private let pause: Duration
    /// Until when it is left alone; nil while it is there, as far as is known.
    private let offUntil = Locked<ContinuousClock.Instant?>(nil)
    private let logger: Logger

    /// - Parameters:
    ///   - missing: the event of the warning.
    ///   - found: the event of its return; nil for none.
    ///   - pause: until it is tried again: an operator may have created it meanwhile.
    package init(
        missing: Logger.Message,
        found: Logger.Message? = nil,
        triedAgainAfter pause: Duration = .zero,
        logger: Logger
    ) {
        self.missing = missing
        self.found = found
        self.pause = pause
        self.logger = logger
    }

    /// Whether a statement on it is worth a try.
    package var mayBeThere: Bool { offUntil.withLock { $0.map { $0 <= .now } ?? true } }

    /// - Returns: false where that was known.
    @discardableResult
    package func isMissing(_ error: PostgresError) -> Bool {
        let isFirst = offUntil.withLock { until in
            let isFirst = until == nil
            until = .now + pause
            return isFirst
        }
        if isFirst {
            logger.warning(
                missing,
                metadata: ["error": "\(error)", "remedy": "amity migrate, deploy/grants.sql"]
            )
        }
        return isFirst
    }

    /// A statement on it has succeeded.
    package func isThere() {
        let wasOff = offUntil.withLock { $0.take() != nil }
        if wasOff, let found { logger.notice(found) }
    }

    /// Runs what reads or writes tables of Amity's own.
    ///
    /// - Returns: nil where one of them, or a grant on it, is missing.
    package static func using<Value, E>(
        _ body: () throws(E) -> Value
    ) throws(E) -> Value? {
        do throws(E) {
            return try body()
        } catch {
            guard let refusal = error as? PostgresError, refusal.isMissingOrForbidden else {
                throw error
            }
            return nil
        }
    }
}
