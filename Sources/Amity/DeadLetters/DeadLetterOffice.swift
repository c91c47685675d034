import AMQP
import Foundation
import Logging
import Postgres
import WorkerRuntime

/// Looks into the dead-letter queue, puts letters back to work, and throws them away.
///
/// A letter leaves the queue only when its copy is confirmed (`retry`) or when it was chosen to be
/// purged, one at a time: if the command dies halfway, what it has not done is still there.
package struct DeadLetterOffice: Sendable {
    private let settings: WorkerSettings
    private let logger: Logger

    package init(settings: WorkerSettings, logger: Logger) {
        self.settings = settings
        self.logger = logger
    }

    private var queue: String { settings.topology.names.dead }

    /// Conversations of a user by the database, so that letters that do not name theirs are found.
    package func conversations(of user: String) throws(PostgresError) -> Set<ExactText> {
        var session = try Session(to: settings.database, applicationName: "amity dead-letters")
        let rows = try session.flight([(Self.conversationsOfUser, [.text(user)])])[0]
        return Set((0..<rows.count).compactMap { rows.string($0, 0).map(ExactText.init) })
    }

    private static let conversationsOfUser = Statement(
        "conversations_of_user",
        "SELECT conversation_id FROM conversation_events WHERE user_id = $1"
    )

    /// Calls `visit` with each letter that matches, in the queue's order, until it answers false.
    package func visit(
        _ filter: DeadLetterFilter,
        _ visit: (DeadLetter, Message) throws -> Bool
    ) throws {
        var browser = try QueueBrowser(queue: queue, at: settings.endpoint.named(Self.name))
        while let entry = try browser.next() {
            let letter = DeadLetter(entry.message)
            guard filter.matches(letter) else { continue }
            if try !visit(letter, entry.message) { return try browser.close() }
        }
        try finish(&browser, done: 0)
    }

    package func count(_ filter: DeadLetterFilter) throws -> Int {
        var count = 0
        try visit(filter) { _, _ in
            count += 1
            return true
        }
        return count
    }

    /// Removes the letters that match.
    ///
    /// - Parameters:
    ///   - limit: most letters to remove.
    ///   - deadline: after which it begins no other letter; nil for never.
    /// - Returns: how many.
    package func purge(
        _ filter: DeadLetterFilter,
        limit: Int = .max,
        until deadline: ContinuousClock.Instant? = nil
    ) throws -> Int {
        var browser = try QueueBrowser(queue: queue, at: settings.endpoint.named(Self.name))
        var purged = 0
        func goesOn() -> Bool { purged < limit && !Self.isPast(deadline) }
        while goesOn(), let entry = try browser.next() {
            guard filter.matches(DeadLetter(entry.message)) else { continue }
            try browser.remove(entry)
            purged += 1
        }
        if goesOn() { try finish(&browser, done: purged) } else { try browser.close() }
        return purged
    }

    /// Closing waits for the broker, which by then has read every ack before it.
    private func finish(_ browser: inout QueueBrowser, done: Int) throws {
        let unseen = browser.unseen
        try browser.close()
        if unseen > 0 { throw DeadLetterError.unseen(unseen, done: done) }
    }

    /// Puts the letters that match back on the queue they died in, with a fresh budget of attempts.
    ///
    /// - Parameters:
    ///   - limit: most letters to retry.
    ///   - perSecond: most letters a second, nil for as fast as it goes.
    ///   - deadline: after which it begins no other letter; nil for never.
    /// - Returns: how many were retried.
    package func retry(
        _ filter: DeadLetterFilter,
        limit: Int,
        perSecond: Double?,
        until deadline: ContinuousClock.Instant? = nil
    ) throws -> Int {
        let publisher = Publisher(
            endpoint: settings.endpoint.named(Self.name),
            topology: settings.topology,
            insists: false,
            logger: logger
        )
        publisher.start()
        defer { publisher.stop() }
        var browser = try QueueBrowser(queue: queue, at: settings.endpoint.named(Self.name))
        var retried = 0
        let began = ContinuousClock.now
        func goesOn() -> Bool { retried < limit && !Self.isPast(deadline) }
        while goesOn(), let entry = try browser.next() {
            guard filter.matches(DeadLetter(entry.message)) else { continue }
            if let perSecond {
                let due = began + .seconds(Double(retried) / perSecond)
                let pause = ContinuousClock.now.duration(to: due) / .seconds(1)
                Thread.sleep(forTimeInterval: max(0, pause))
            }
            let result = confirm(RetryPolicy.replayed(entry.message), with: publisher)
            guard result == .confirmed else {
                throw DeadLetterError.notRetried(afterRetrying: retried, result)
            }
            try browser.remove(entry)
            retried += 1
        }
        if goesOn() { try finish(&browser, done: retried) } else { try browser.close() }
        return retried
    }

    private static func isPast(_ deadline: ContinuousClock.Instant?) -> Bool {
        deadline.map { $0 <= .now } ?? false
    }

    /// Publishes one message and waits for the broker's word.
    private func confirm(_ message: Message, with publisher: Publisher) -> Publisher.Result {
        let answer = Locked(Publisher.Result.abandoned)
        let answered = MonotonicSemaphore(value: 0)
        publisher.publish(message, routingKey: settings.topology.names.main) { result in
            answer.withLock { $0 = result }
            answered.signal()
        }
        // Chosen: a broker that confirms nothing for this long is not well; the letter stays.
        answered.wait(atMost: .seconds(30))
        return answer.withLock { $0 }
    }

    private static let name = "amity dead-letters"
}

package enum DeadLetterError: Error, CustomStringConvertible {
    /// Letters that another consumer of the queue holds.
    case unseen(Int, done: Int)
    case notRetried(afterRetrying: Int, Publisher.Result)

    /// Letters that were dealt with.
    package var done: Int {
        switch self {
        case .unseen(_, let done): done
        case .notRetried(let count, _): count
        }
    }

    package var description: String {
        switch self {
        case .unseen(let unseen, let done):
            """
            \(unseen) letters could not be looked at, because another consumer of the dead-letter queue \
            holds them (a second command, a worker that throws away old ones); \(done) were dealt with. \
            Try again
            """
        case .notRetried(let count, let result):
            """
            the broker did not confirm a letter (\(result)); it stays in the dead-letter queue, as do \
            those after it. \(count) were retried before
            """
        }
    }
}
