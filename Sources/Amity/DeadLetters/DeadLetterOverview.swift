import Foundation

/// The dead letters by what they died of, for a page: bounded, however many there are.
package struct DeadLetterOverview: Encodable, Sendable, Equatable {
    /// The letters of one code.
    package struct Group: Encodable, Sendable, Equatable {
        package var code: String
        /// Of the latest of them.
        package var reason: String
        package var count = 0
        /// As the letters have it: ISO 8601, or empty.
        package var firstFailureAt: String
        package var lastFailureAt: String
        /// The oldest of them.
        package var letters: [DeadLetter] = []
    }

    package var queue: String
    package var lookedAt: Date
    /// The largest first.
    package var groups: [Group] = []
    /// Letters that were looked at, the oldest in the queue.
    package var seen = 0
    /// Whether there were no others.
    package var isComplete = true

    /// Chosen: what one look takes a second for, and what a page can show.
    static let mostSeen = 1000
    private static let mostListed = 50
    private static let mostGroups = 50
    /// Ids of Amity's conversations have 255; who makes letters may write what they like.
    private static let longestText = 300

    package init(queue: String, lookedAt: Date) {
        self.queue = queue
        self.lookedAt = lookedAt
    }

    mutating func add(_ letter: DeadLetter) {
        seen += 1
        let letter = letter.clipped(to: Self.longestText)
        let known = groups.firstIndex { $0.code == letter.code }
        if known == nil, groups.count == Self.mostGroups {
            isComplete = false
            return
        }
        let index = known ?? groups.count
        if known == nil {
            groups.append(
                Group(
                    code: letter.code,
                    reason: "",
                    firstFailureAt: letter.firstFailureAt,
                    lastFailureAt: ""
                )
            )
        }
        groups[index].count += 1
        groups[index].firstFailureAt = min(groups[index].firstFailureAt, letter.firstFailureAt)
        if letter.lastFailureAt >= groups[index].lastFailureAt {
            groups[index].lastFailureAt = letter.lastFailureAt
            groups[index].reason = letter.reason
        }
        if groups[index].letters.count < Self.mostListed { groups[index].letters.append(letter) }
    }

    mutating func sort() {
        groups.sort { ($1.count, $0.code) < ($0.count, $1.code) }
    }
}

extension DeadLetter {
    fileprivate func clipped(to length: Int) -> DeadLetter {
        func clip(_ text: String) -> String {
            text.unicodeScalars.count <= length
                ? text : String(String.UnicodeScalarView(text.unicodeScalars.prefix(length))) + "…"
        }
        var letter = self
        letter.conversationID = conversationID.map(clip)
        letter.userID = userID.map(clip)
        letter.reason = clip(reason)
        return letter
    }
}
