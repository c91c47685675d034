import Foundation
import Postgres
import Storage

/// The dead letters by what they died of, for a page: bounded, however many there are.
package struct DeadLetterOverview: Encodable, Sendable, Equatable {
    /// The dead letters of one code.
    package struct Group: Encodable, Sendable, Equatable {
        package var code: String
        /// Of the latest of them.
        package var reason: String
        package var count = 0
        /// As the dead letters have it: ISO 8601, or empty.
        package var firstFailureAt: String
        package var lastFailureAt: String
        /// The oldest of them.
        package var deadLetters: [DeadLetter] = []

        private enum CodingKeys: String, CodingKey {
            case code, reason, count, firstFailureAt, lastFailureAt, deadLetters = "letters"
        }
    }

    package var queue: String
    package var lookedAt: Date
    /// The largest first.
    package var groups: [Group] = []
    /// Dead letters that have a row; the groups count them all, unless there are more codes than
    /// shown.
    package var seen = 0
    /// Messages in the queue that no row speaks of; nil where the broker does not say.
    package var withoutRow: Int?
    /// Messages that rows speak of and that are in the queue no more, where that is certain.
    package var gone = 0
    /// Whether every message of the queue is among the groups.
    package var isComplete = true
    /// What else there is to know.
    package var remarks: [String] = []

    /// Chosen: what a page can show.
    private static let mostListed = 50
    private static let mostGroups = 50
    /// Ids of Amity's conversations have 255; who makes dead letters may write what they like.
    private static let longestText = 300

    package init(queue: String, lookedAt: Date) {
        self.queue = queue
        self.lookedAt = lookedAt
    }

    /// Reads the rows. A table that is missing is a remark.
    package mutating func read(_ table: DeadLetterTable) throws(PostgresError) -> Int? {
        try OptionalTable.using { () throws(PostgresError) in
            let codes = try table.codes()
            let shown = codes.prefix(Self.mostGroups).map(\.code)
            let reasons = try table.reasons(of: shown)
            let deadLetters = Dictionary(
                grouping: try table.oldest(of: shown, limit: Self.mostListed),
                by: \.code
            )
            groups = codes.prefix(Self.mostGroups).map { code in
                Group(
                    code: code.code,
                    reason: reasons[code.code] ?? "",
                    count: code.count,
                    firstFailureAt: code.firstFailureAt,
                    lastFailureAt: code.lastFailureAt,
                    deadLetters: (deadLetters[code.code] ?? []).map {
                        $0.clipped(to: Self.longestText)
                    }
                )
            }
            seen = codes.reduce(0) { $0 + $1.count }
            isComplete = codes.count <= Self.mostGroups
            return seen
        }
    }

    package mutating func add(_ counts: DeadLetterCounts) {
        withoutRow = counts.withoutRow
        gone = counts.gone
        isComplete = isComplete && withoutRow == 0
        remarks = counts.remarks(on: queue)
    }
}

extension DeadLetter {
    fileprivate func clipped(to length: Int) -> DeadLetter {
        func clip(_ text: String) -> String {
            text.unicodeScalars.count <= length
                ? text : String(String.UnicodeScalarView(text.unicodeScalars.prefix(length))) + "…"
        }
        var deadLetter = self
        deadLetter.conversationID = conversationID.map(clip)
        deadLetter.userID = userID.map(clip)
        deadLetter.reason = clip(reason)
        return deadLetter
    }
}
