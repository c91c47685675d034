import Conversations
import Foundation
import Postgres

/// The rows of one queue's dead letters. Blocks the calling thread.
///
/// Where `amity migrate` has not been, or grants are missing, every call throws a `PostgresError`
/// that `isMissingOrForbidden`.
package struct DeadLetterTable: Sendable {
    private let sessions: SessionPool
    /// The main queue's name.
    private let queue: String

    package init(sessions: SessionPool, queue: String) {
        self.sessions = sessions
        self.queue = queue
    }

    /// A row, with those headers that Amity wrote, as people read them.
    package struct Entry: Sendable {
        package var deadLetter: DeadLetter
        package var headers: [String: String]
    }

    /// Of one code.
    package struct CodeCount: Sendable {
        package var code: String
        package var count: Int
        var firstFailureAt: String
        var lastFailureAt: String
    }

    // MARK: Reading

    /// - Parameter includesSettled: whether those that have left the queue are listed, too.
    package func list(
        _ filter: DeadLetterFilter,
        includesSettled: Bool = false,
        limit: Int
    ) throws(PostgresError) -> [DeadLetter] {
        let parameters =
            filter.parameters(queue) + [
                .text(includesSettled ? "t" : "f"), .integer(limit),
            ]
        return try rows(DeadLetterSQL.list, parameters).map(\.deadLetter)
    }

    /// The dead letters of that id, or of the conversation of that id, with what was settled in the
    /// last month; those that wait come first.
    package func find(_ id: String) throws(PostgresError) -> [Entry] {
        try rows(DeadLetterSQL.find, [.text(id), .text(queue)])
    }

    /// How many wait.
    package func count(_ filter: DeadLetterFilter) throws(PostgresError) -> Int {
        let parameters = filter.parameters(queue)
        return try sessions.withSession { session throws(PostgresError) in
            try session.flight([(DeadLetterSQL.count, parameters)])[0]
                .first(DeadLetterSQL.counted) ?? 0
        }
    }

    /// Those that wait by code, the most frequent first.
    package func codes() throws(PostgresError) -> [CodeCount] {
        let parameters: [Parameter] = [.text(queue)]
        return try sessions.withSession { session throws(PostgresError) in
            try session.flight([(DeadLetterSQL.codes, parameters)])[0].map(DeadLetterSQL.code)
        }
    }

    /// Of each code the oldest.
    func oldest(of codes: [String], limit: Int) throws(PostgresError) -> [DeadLetter] {
        let parameters: [Parameter] = [.text(queue), .textArray(codes), .integer(limit)]
        return try rows(DeadLetterSQL.oldest, parameters).map(\.deadLetter)
    }

    /// By code, the reason of the latest.
    func reasons(of codes: [String]) throws(PostgresError) -> [String: String] {
        let parameters: [Parameter] = [.text(queue), .textArray(codes)]
        return try sessions.withSession { session throws(PostgresError) in
            let rows = try session.flight([(DeadLetterSQL.reasons, parameters)])[0]
            return Dictionary(try rows.map(DeadLetterSQL.reason)) { first, _ in first }
        }
    }

    /// Conversations of a user, so that dead letters that do not name theirs are found.
    package func conversations(of user: String) throws(PostgresError) -> Set<ExactText> {
        try sessions.withSession { session throws(PostgresError) in
            let rows = try session.flight([(DeadLetterSQL.conversations, [.text(user)])])[0]
            return Set(try rows.map(DeadLetterSQL.conversation).compactMap(\.self))
        }
    }

    /// Those that failed last so many days ago, or before, with their copies; the oldest first.
    func expired(afterDays days: Int, limit: Int) throws(PostgresError) -> [String: Int] {
        let parameters: [Parameter] = [.text(queue), .integer(days), .integer(limit)]
        return try sessions.withSession { session throws(PostgresError) in
            let rows = try session.flight([(DeadLetterSQL.expired, parameters)])[0]
            return Dictionary(try rows.map(DeadLetterSQL.old)) { first, _ in first }
        }
    }

    private func rows(
        _ statement: Statement,
        _ parameters: [Parameter]
    ) throws(PostgresError) -> [Entry] {
        try sessions.withSession { session throws(PostgresError) in
            try session.flight([(statement, parameters)])[0].map(DeadLetterSQL.entry)
        }
    }

    // MARK: Writing

    /// Takes copies that have left the queue out of the count.
    ///
    /// - Parameter removed: how many, by the dead letter's id.
    func settle(
        _ removed: [String: Int],
        as how: DeadLetter.State
    ) throws(PostgresError) {
        if removed.isEmpty { return }
        let parameters: [Parameter] = [
            .textArray(removed.map(\.key)), .integerArray(removed.map(\.value)),
            .text(how.rawValue),
        ]
        try write(DeadLetterSQL.settle, parameters)
    }

    /// Removes the rows themselves, of dead letters that wait and of such that have been settled.
    func erase(_ filter: DeadLetterFilter) throws(PostgresError) {
        try write(DeadLetterSQL.erase, filter.parameters(queue))
    }

    /// Marks what another consumer, or a policy of the broker, has taken.
    ///
    /// - Parameters:
    ///   - age: seconds since it was dead-lettered: a younger dead letter may still be on its way.
    ///   - seen: ids of dead letters that are in the queue.
    /// - Returns: how many messages.
    package func markGone(olderThan age: Double, except seen: [String] = []) throws(PostgresError)
        -> Int
    {
        let parameters: [Parameter] = [.text(queue), .double(age), .textArray(seen)]
        return try sessions.withSession { session throws(PostgresError) in
            let rows = try session.flight([(DeadLetterSQL.markGone, parameters)])[0]
            return try rows.map(DeadLetterSQL.copies).reduce(0, +)
        }
    }

    /// Removes the rows of what was settled a month ago.
    func forgetSettled() throws(PostgresError) {
        try write(DeadLetterSQL.forget, [])
    }

    private func write(
        _ statement: Statement,
        _ parameters: [Parameter]
    ) throws(PostgresError) {
        try sessions.withSession { session throws(PostgresError) in
            _ = try session.flight([(statement, parameters)])
        }
    }
}

extension DeadLetterTable.Entry {
    private enum Scalar: Decodable {
        case text(String), number(Int)

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            do {
                self = .text(try value.decode(String.self))
            } catch {
                self = .number(try value.decode(Int.self))
            }
        }

        var shown: String {
            switch self {
            case .text(let text): text
            case .number(let number): "\(number)"
            }
        }
    }

    static func headers(_ json: Data?) -> [String: String] {
        guard let json else { return [:] }
        do {
            return try JSONDecoder().decode([String: Scalar].self, from: json).mapValues(\.shown)
        } catch {
            return [:]  // Another version wrote other kinds.
        }
    }
}

extension DeadLetterFilter {
    /// For the statements that match rows.
    fileprivate func parameters(_ queue: String) -> [Parameter] {
        func some(_ texts: [String]) -> Parameter { texts.isEmpty ? .null : .textArray(texts) }
        func seconds(_ date: Date?) -> Parameter {
            date.map { .double($0.timeIntervalSince1970) } ?? .null
        }
        return [
            .text(queue), code.map(Parameter.text) ?? .null, some(Array(ids)),
            some(conversationIDs.map(\.text)), user.map { .text($0.text) } ?? .null,
            .textArray(conversationsOfUser.map(\.text)), seconds(before), seconds(since),
        ]
    }
}
