// The rules of the score, and nothing else: no socket, no clock, no database, no settings.
// This file turns the JSON of a `conversation_log` column into something that can be counted.

import Foundation

/// Who spoke one item of a conversation.
package enum Speaker: String, Sendable {
    /// The robot.
    case pika
    /// The child.
    case user
    /// Missing, or any other name: belongs to neither side, yet stands between its neighbours.
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
    /// - Parameter json: a JSON list of objects, UTF-8. An empty list is a legal log.
    package init(json: Data) throws(ConversationLogError) {
        let stored: StoredLog
        do {
            stored = try JSONDecoder().decode(StoredLog.self, from: json)
        } catch let error as ConversationLogError {
            throw error
        } catch {
            // The decoder's own words may quote the text: never pass them on.
            throw .unreadable
        }
        items = stored.isAPIShape ? try stored.normalised() : stored.asStandard()
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

/// The list as stored, before its shape is known.
private struct StoredLog: Decodable {
    private var items: [StoredItem] = []

    init(from decoder: any Decoder) throws {
        var list: any UnkeyedDecodingContainer
        do {
            list = try decoder.unkeyedContainer()
        } catch DecodingError.typeMismatch, DecodingError.valueNotFound {
            throw ConversationLogError.notAList
        }
        items.reserveCapacity(list.count ?? 0)
        while !list.isAtEnd {
            do {
                items.append(StoredItem(try list.nestedContainer(keyedBy: StoredItem.Key.self)))
            } catch DecodingError.typeMismatch, DecodingError.valueNotFound {
                throw ConversationLogError.itemNotAnObject(index: list.currentIndex)
            }
        }
    }

    /// The first item alone decides, as in the service whose tables these are.
    var isAPIShape: Bool { items.first.map { $0.hasAPIMembers && !$0.hasStandardMembers } ?? false }

    func asStandard() -> [ConversationLog.Item] {
        items.map { item in
            let speaker = item.speaker.text.flatMap { Speaker(rawValue: $0.lowercased()) }
            return .init(
                speaker: speaker ?? .other,
                text: item.text.text ?? ""
            )
        }
    }

    func normalised() throws(ConversationLogError) -> [ConversationLog.Item] {
        var kept: [ConversationLog.Item] = []
        kept.reserveCapacity(items.count)
        for (index, item) in items.enumerated() {
            if item.content == .otherType { throw .contentNotText(index: index) }
            let text = (item.content.text ?? "").strippedAsInPython
            if text.isEmpty { continue }
            let character = (item.character.text ?? "").uppercased()
            let isRobot = character.contains("BOT") || character.contains("PIKA")
            let isUser = !isRobot && character.contains("USER")
            kept.append(.init(speaker: isUser ? .user : .pika, text: text))
        }
        return kept
    }
}

private struct StoredItem {
    enum Key: String, CodingKey {
        case speaker, text, character, content
        case turnID = "turn_id"
    }

    enum Member: Equatable {
        /// Not there, or null.
        case absent
        case text(String)
        case otherType

        var text: String? { if case .text(let text) = self { text } else { nil } }
    }

    let speaker, text, character, content: Member
    let hasAPIMembers, hasStandardMembers: Bool

    init(_ members: KeyedDecodingContainer<Key>) {
        func member(_ key: Key) -> Member {
            do {
                return try members.decodeIfPresent(String.self, forKey: key).map(Member.text)
                    ?? .absent
            } catch {
                return .otherType
            }
        }
        speaker = member(.speaker)
        text = member(.text)
        character = member(.character)
        content = member(.content)
        hasAPIMembers = members.contains(.character) && members.contains(.content)
        hasStandardMembers = [.speaker, .turnID, .text].allSatisfy(members.contains)
    }
}

extension String {
    /// Without white space at its ends, by the rule of the service whose logs these are: its
    /// language's `str.strip()`, which knows four separators more than Foundation (U+001C to U+001F)
    /// and not the zero-width space.
    fileprivate var strippedAsInPython: String {
        let isSpace: (Unicode.Scalar) -> Bool = { scalar in
            switch scalar.value {
            case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029,
                0x202F, 0x205F, 0x3000:
                true
            case _: false
            }
        }
        let scalars = unicodeScalars.drop(while: isSpace)
        guard let last = scalars.lastIndex(where: { !isSpace($0) }) else { return "" }
        return String(scalars[...last])
    }
}
