import Concurrency
import Dispatch
import Logging

/// Logs the first few of many equal events, and one line with the count of the others: a flood of
/// bad messages must not become a flood of lines.
///
/// Events are equal when name and code are. In each window the first `first` of them are logged as
/// they come; at the window's end a line `log.summed` says how many more there were.
package final class RepeatedEvents: Sendable {
    private struct Key: Hashable {
        var event: String
        var code: String
    }

    private struct Window {
        var startedAt: ContinuousClock.Instant
        var level: Logger.Level
        /// Events so far.
        var count = 0
        /// Those of them that were not logged.
        var summed = 0
        /// Of the last that was not logged.
        var lastID: String?
    }

    /// Chosen: more failures than this are not read one by one.
    private let first: Int
    private let window: Duration
    private let schedule: @Sendable (Duration, @escaping @Sendable () -> Void) -> Void
    private let logger: Logger
    /// Written by every thread that logs.
    private let windows = Locked<[Key: Window]>([:])

    /// - Parameters:
    ///   - first: events that are logged in each window.
    ///   - schedule: calls a function later; tests call it when they like.
    package init(
        first: Int = 100,
        window: Duration = .seconds(10),
        logger: Logger,
        schedule: @escaping @Sendable (Duration, @escaping @Sendable () -> Void) -> Void = {
            delay,
            body in
            let seconds = delay / .seconds(1)
            DispatchQueue.global().asyncAfter(deadline: .now() + seconds, execute: body)
        }
    ) {
        self.first = first
        self.window = window
        self.logger = logger
        self.schedule = schedule
    }

    /// - Parameters:
    ///   - code: tells the causes of one event apart; of few values.
    ///   - id: of what it is about, for the summary.
    package func log(
        level: Logger.Level,
        _ event: Logger.Message,
        code: String,
        id: String?,
        metadata: Logger.Metadata,
        at now: ContinuousClock.Instant = .now
    ) {
        let key = Key(event: event.description, code: code)
        let (isLogged, isFirstSummed) = windows.withLock { windows in
            var current = windows[key] ?? Window(startedAt: now, level: level)
            // One with a sum is ended by its timer, so that the sum is not lost.
            if current.summed == 0, current.startedAt + window <= now {
                current = Window(startedAt: now, level: level)
            }
            current.count += 1
            let isLogged = current.count <= first
            if !isLogged {
                current.summed += 1
                current.lastID = id
            }
            windows[key] = current
            return (isLogged, current.summed == 1 && !isLogged)
        }
        if isLogged { logger.log(level: level, event, metadata: metadata) }
        if isFirstSummed { schedule(window) { [self] in end(key) } }
    }

    /// Logs what has not been logged, for a process that ends.
    package func flush() {
        for key in windows.withLock({ Array($0.keys) }) { end(key) }
    }

    private func end(_ key: Key) {
        guard let window = windows.withLock({ $0.removeValue(forKey: key) }), window.summed > 0
        else { return }
        var metadata: Logger.Metadata = [
            "of": "\(key.event)", "code": "\(key.code)",
            "more": .stringConvertible(window.summed),
            "seconds": .stringConvertible(self.window / .seconds(1)),
        ]
        metadata["last"] = window.lastID.map { "\($0)" }
        logger.log(level: window.level, "log.summed", metadata: metadata)
    }
}
