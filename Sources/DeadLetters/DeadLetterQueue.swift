import AMQP
import Concurrency
import Foundation
import Logging
import Messaging
import Postgres
import QueueAccess
import WorkerRuntime

/// Looks into the dead-letter queue, puts dead letters back to work, and throws them away.
///
/// What is known of dead letters without a look is in their rows (`DeadLetterTable`). Here is what
/// needs the queue: a dead letter leaves it only when its copy is confirmed (`retry`) or when it
/// was chosen to be purged, one at a time: if the command dies halfway, what it has not done is
/// still there. What stays goes back to its place, or, where a quorum queue has counted a delivery
/// of it before, to the end of the queue, as a confirmed copy with a fresh count.
package struct DeadLetterQueue: Sendable {
    private let options: DeadLetterOptions
    private let table: DeadLetterTable
    private let logger: Logger

    package init(options: DeadLetterOptions, sessions: SessionPool, logger: Logger) {
        self.options = options
        self.logger = logger
        table = DeadLetterTable(sessions: sessions, queue: options.topology.names.main)
    }

    private var queue: String { options.topology.names.dead }
    private var endpoint: Endpoint { options.endpoint.named("amity dead-letters") }

    /// How many there are, with and without a row. Looks at none.
    package func counts() throws -> DeadLetterCounts {
        let presence: QueuePresence
        do throws(AMQPError) {
            presence = try QueuePresence(of: queue, at: endpoint)
        } catch {
            // The rows can be read all the same.
            presence = .away("the broker could not be asked: \(error)")
        }
        return try DeadLetterCounts(presence, table)
    }

    /// Calls `visit` with each dead letter in the queue that matches, in the queue's order, until
    /// it answers false.
    package func look(
        _ filter: DeadLetterFilter,
        _ visit: (DeadLetter, Message) throws -> Bool
    ) throws {
        try pass { deadLetter, entry, _ in
            guard filter.matches(deadLetter) else { return .stays }
            return try visit(deadLetter, entry.message) ? .stays : .ends
        }
    }

    /// Removes the dead letters that match.
    ///
    /// - Parameters:
    ///   - limit: most dead letters to remove.
    ///   - deadline: after which it begins no other dead letter; nil for never.
    /// - Returns: how many.
    package func purge(
        _ filter: DeadLetterFilter,
        limit: Int = .max,
        until deadline: ContinuousClock.Instant? = nil
    ) throws -> Int {
        let settled = SettledDeadLetters(.purged, in: table, logger)
        defer { settled.flush() }
        if limit > 0 {
            try pass(done: { settled.count }) { deadLetter, entry, pass in
                if Self.isPast(deadline) { return .ends }
                guard filter.matches(deadLetter) else { return .stays }
                try pass.remove(entry)
                settled.add(deadLetter.id)
                return settled.count < limit ? .left : .leftAndEnds
            }
        }
        // Of a user whose dead letters are erased nothing stays.
        if filter.user != nil {
            settled.flush()
            var purged = DeadLetterFilter()
            purged.ids = settled.ids
            do throws(PostgresError) {
                try table.erase(filter)
                if !purged.isEmpty { try table.erase(purged) }
            } catch {
                if !error.isMissing { throw error }
            }
        }
        return settled.count
    }

    /// Puts the dead letters that match back on the queue they died in, with a fresh budget of
    /// attempts.
    ///
    /// - Parameters:
    ///   - limit: most dead letters to retry.
    ///   - perSecond: most dead letters a second, nil for as fast as it goes.
    ///   - deadline: after which it begins no other dead letter; nil for never.
    /// - Returns: how many were retried.
    package func retry(
        _ filter: DeadLetterFilter,
        limit: Int,
        perSecond: Double?,
        until deadline: ContinuousClock.Instant? = nil
    ) throws -> Int {
        if limit <= 0 { return 0 }
        let publisher = publisher()
        publisher.start()
        defer { publisher.stop() }
        let settled = SettledDeadLetters(.replayed, in: table, logger)
        defer { settled.flush() }
        let began = ContinuousClock.now
        try pass(done: { settled.count }) { deadLetter, entry, pass in
            if Self.isPast(deadline) { return .ends }
            guard filter.matches(deadLetter) else { return .stays }
            if let perSecond {
                try Self.pause(
                    for: began + .seconds(Double(settled.count) / perSecond),
                    pass: &pass
                )
            }
            let result = confirm(RetryPolicy.replayed(entry.message), with: publisher)
            guard result == .confirmed else {
                throw DeadLetterError.notRetried(afterRetrying: settled.count, result)
            }
            try pass.remove(entry)
            settled.add(deadLetter.id)
            return settled.count < limit ? .left : .leftAndEnds
        }
        return settled.count
    }

    /// In pieces: a connection that is silent for two heartbeats is closed.
    private static func pause(
        for due: ContinuousClock.Instant,
        pass: inout QueuePass
    ) throws(AMQPError) {
        while .now < due {
            let rest = ContinuousClock.now.duration(to: due) / .seconds(1)
            Thread.sleep(forTimeInterval: min(max(0, rest), 1))
            try pass.keepAlive()
        }
    }

    private static func isPast(_ deadline: ContinuousClock.Instant?) -> Bool {
        deadline.map { $0 <= .now } ?? false
    }

    private func publisher() -> Publisher {
        Publisher(endpoint: endpoint, topology: options.topology, insists: false, logger: logger)
    }

    /// Publishes one message and waits for the broker's word.
    private func confirm(_ message: Message, with publisher: Publisher) -> Publisher.Result {
        let answer = Locked(Publisher.Result.abandoned)
        let answered = MonotonicSemaphore(value: 0)
        publisher.publish(message, routingKey: options.topology.names.main) { result in
            answer.withLock { $0 = result }
            answered.signal()
        }
        // Chosen: a broker that confirms nothing for this long is not well; the dead letter stays.
        answered.wait(atMost: .seconds(30))
        return answer.withLock { $0 }
    }

    // MARK: One pass over the queue

    /// What becomes of a dead letter, and of the pass.
    private enum Step {
        case stays, left, leftAndEnds
        /// It stays, and no other is looked at.
        case ends
    }

    /// - Parameters:
    ///   - done: dead letters dealt with so far, for errors.
    ///   - step: decides about one dead letter; what it removes it says has `left`.
    private func pass(
        done: () -> Int = { 0 },
        _ step: (DeadLetter, QueuePass.Entry, inout QueuePass) throws -> Step
    ) throws {
        var pass = try QueuePass(queue: queue, at: endpoint)
        let returns = ReturnedDeadLetters(to: queue, by: publisher)
        defer { returns.stop() }
        let began = ContinuousClock.now
        var seen: [String] = []
        var failure: (any Error)?
        var isComplete = true
        while let entry = try pass.next() {
            let deadLetter = DeadLetter(entry.message)
            do {
                switch try step(deadLetter, entry, &pass) {
                case .stays:
                    seen.append(deadLetter.id)
                    try returns.give(back: entry, &pass)
                    continue
                case .left: continue
                case .leftAndEnds: break
                case .ends: try returns.give(back: entry, &pass)
                }
            } catch {
                try returns.give(back: entry, &pass)
                failure = error
            }
            isComplete = false
            break
        }
        let unseen = isComplete ? pass.unseen : 0
        // Also after a failure: none of them may come nearer to the queue's delivery limit.
        for entry in try pass.stop() { try returns.give(back: entry, &pass) }
        let stranded = try returns.finish(&pass)
        let isAlone = pass.isAlone
        try pass.close()
        if let failure { throw failure }
        if stranded > 0 { throw DeadLetterError.stranded(stranded, done: done()) }
        if unseen > 0 { throw DeadLetterError.unseen(unseen, done: done()) }
        if isComplete, isAlone { noticeGone(except: seen, since: began) }
    }

    /// All that was in the queue has been seen, so rows of others have no message any more.
    private func noticeGone(except seen: [String], since began: ContinuousClock.Instant) {
        let age = began.duration(to: .now) / .seconds(1) + DeadLetterTable.youngest
        do throws(PostgresError) {
            let gone = try table.markGone(olderThan: age, except: seen)
            if gone > 0 { logger.logGone(gone, of: queue) }
        } catch {
            logger.debug("dead-letters.gone-not-marked", metadata: ["error": "\(error)"])
        }
    }
}

package enum DeadLetterError: Error, CustomStringConvertible {
    /// Dead letters that another consumer of the queue holds.
    case unseen(Int, done: Int)
    case notRetried(afterRetrying: Int, Publisher.Result)
    /// Dead letters of which no copy could be put at the end of the queue.
    case stranded(Int, done: Int)

    /// Dead letters that were dealt with.
    package var done: Int {
        switch self {
        case .unseen(_, let done), .stranded(_, let done): done
        case .notRetried(let count, _): count
        }
    }

    package var description: String {
        switch self {
        case .unseen(let unseen, let done):
            """
            \(unseen) dead letters could not be looked at, because another consumer of the \
            dead-letter queue holds them (a second command, a worker that throws away old ones); \
            \(done) were dealt with. Try again
            """
        case .notRetried(let count, let result):
            """
            the broker did not confirm a dead letter (\(result)); it stays in the dead-letter \
            queue, as do those after it. \(count) were retried before
            """
        case .stranded(let count, let done):
            """
            \(count) dead letters that were delivered before went back to their place in the \
            dead-letter queue, because the broker confirmed no copy of them at its end: on a \
            quorum queue each has one delivery less of its limit. \(done) were dealt with. Look \
            for the cause before you try again
            """
        }
    }
}

extension DeadLetterTable {
    /// Seconds for which a dead letter may be on its way from its row to the queue.
    package static let youngest = 60.0
}

extension Logger {
    /// Once for each dead letter: from then on its row says it.
    package func logGone(_ count: Int, of queue: String) {
        warning(
            "dead-letters.gone",
            metadata: [
                "letters": .stringConvertible(count), "queue": "\(queue)",
                "cause":
                    "another consumer took them, or a policy of the broker (expires, TTL, length)",
            ]
        )
    }
}
