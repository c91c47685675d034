import Conversations
import Foundation
import Logging
import Postgres
import Storage

/// What the commands ask about dead letters: their rows and their queue, for a process of their
/// own.
package struct DeadLetterLookup: Sendable {
    package let deadLetterQueue: DeadLetterQueue
    /// The dead-letter queue's name.
    package let queue: String
    private let table: DeadLetterTable

    package init(options: DeadLetterOptions, sessions: SessionPool, logger: Logger) {
        deadLetterQueue = DeadLetterQueue(options: options, sessions: sessions, logger: logger)
        table = DeadLetterTable(sessions: sessions, queue: options.topology.names.main)
        queue = options.topology.names.dead
    }

    /// Dead letters by their rows. Of a queue that is empty all that wait are gone.
    package func list(
        _ filter: DeadLetterFilter,
        includesSettled: Bool,
        limit: Int,
        _ counts: DeadLetterCounts
    ) throws -> [DeadLetter] {
        // A remark says so.
        if counts.recorded == nil { return [] }
        let deadLetters = try table.list(filter, includesSettled: includesSettled, limit: limit)
        return deadLetters.map { $0.asOf(counts) }
    }

    /// The dead letters of that id, or of the conversation of that id; none where there is no
    /// table.
    package func find(_ id: String) throws -> [DeadLetterTable.Entry] {
        let entries = try OptionalTable.using { try table.find(id) } ?? []
        if !entries.contains(where: { $0.deadLetter.state == .waiting }) { return entries }
        let counts = try deadLetterQueue.counts()
        return entries.map { entry in
            var entry = entry
            entry.deadLetter = entry.deadLetter.asOf(counts)
            return entry
        }
    }

    /// How many a command is about, by their rows; and how many more it may find without one.
    package func count(_ filter: DeadLetterFilter) throws -> (recorded: Int, others: Int) {
        let counts = try deadLetterQueue.counts()
        let recorded = counts.recorded == nil ? 0 : try table.count(filter)
        return (recorded, counts.withoutRow ?? 0)
    }

    /// Limits a filter to one user's dead letters, whether they name their user or not.
    package func limit(_ filter: inout DeadLetterFilter, to user: String) throws {
        filter.user = ExactText(user)
        filter.conversationsOfUser = try table.conversations(of: user)
        let rows = try OptionalTable.using { try table.list(filter, limit: Self.mostOfAUser) }
        if let rows { filter.deadLettersOfUser = Set(rows.map(\.id)) }
    }

    private static let mostOfAUser = 100_000
}

extension DeadLetter {
    fileprivate func asOf(_ counts: DeadLetterCounts) -> DeadLetter {
        guard state == .waiting, counts.presence.holdsNothing else { return self }
        var deadLetter = self
        deadLetter.state = .gone
        return deadLetter
    }
}
