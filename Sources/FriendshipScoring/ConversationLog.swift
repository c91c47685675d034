// The rules of the score, and nothing else: no socket, no clock, no database, no settings.
// This file is what a `conversation_log` column says; `LogReader` gets it out of the JSON.

import Foundation

/// Who spoke one item of a conversation.
package enum Speaker: String, Sendable {
    /// The robot.
    case pika
    /// The child.
    case user
    /// Missing, or any other name: belongs to neither side, yet separates the items around it.
    case other
}

/// A finished conversation, in order, whichever of the two shapes it was stored in.
package struct ConversationLog: Sendable, Equatable {
    package struct Item: Sendable, Equatable {
        package var speaker: Speaker
        package var text: String

        package init(speaker: Speaker, text: String) {
            self.speaker = speaker
            self.text = text
        }
    }

    package var items: [Item]

    package init(items: [Item]) {
        self.items = items
    }

    /// Reads a log in either shape; the API shape is normalised as intake would have done it.
    ///
    /// - Parameters:
    ///   - json: a JSON list of objects, UTF-8. An empty list is a legal log.
    ///   - readsTexts: false for who only counts turns: texts are checked, and left empty.
    package init(json: Data, readsTexts: Bool = true) throws(ConversationLogError) {
        items = try LogReader.items(in: json, readsTexts: readsTexts)
    }

    /// Reads a log in the API shape for intake, which stores it in the standard shape.
    ///
    /// - Returns: nil for a log in the standard shape.
    package static func converted(
        _ json: some Collection<UInt8>
    ) throws(ConversationLogError) -> Converted? {
        try LogReader.converted(json)
    }

    /// What is left of a log in the API shape.
    package struct Converted {
        /// Each with its place in the list.
        package var kept: [(place: Int, item: Item)]
        /// Of the list.
        package var count: Int
    }

    /// Reads the speakers of a log in the standard shape, for counting turns.
    ///
    /// - Parameter speakers: a JSON list of what its items have as `speaker`.
    package init(speakers: Data) throws(ConversationLogError) {
        items = try LogReader.items(ofSpeakers: speakers)
    }
}

/// Why a stored log cannot be scored. Its words name places, never text.
package enum ConversationLogError: Error, Equatable, CustomStringConvertible {
    case unreadable
    case notAList
    case itemNotAnObject(index: Int)
    case contentNotText(index: Int)

    package var description: String {
        switch self {
        case .unreadable: "conversation_log is not readable JSON (or nested too deeply)"
        case .notAList: "conversation_log is not a list"
        case .itemNotAnObject(let index): "conversation_log item \(index) is not an object"
        case .contentNotText(let index): "conversation_log item \(index): content is not text"
        }
    }
}
