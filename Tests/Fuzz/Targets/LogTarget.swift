import ConversationAnalysis
import Foundation
import FriendshipScoring

/// A log reads as it did when Foundation read it, or is no JSON; and what it says is analysed
/// within the bounds of an analysis.
func fuzzLog(_ bytes: UnsafeRawBufferPointer) {
    let data = Data(bytes)
    let ours = Result { () throws(ConversationLogError) in try ConversationLog(json: data).items }
    let speakers = Result { () throws(ConversationLogError) in
        try ConversationLog(json: data, readsTexts: false).items.map(\.speaker)
    }
    expect(speakers == ours.map { $0.map(\.speaker) }, "\(speakers) without texts")
    if ours == .failure(.unreadable) {
        expect(
            JSONOracle.isOtherEncoding(bytes) || !JSONOracle.isSurelyJSON(bytes),
            "a log that is JSON is refused"
        )
        return
    }
    expect(!JSONOracle.isOtherEncoding(bytes), "a log with a zero byte is taken for JSON")
    let foundations = Result { () throws(ConversationLogError) in
        try FoundationLog.items(in: data)
    }
    expect(ours == foundations, "\(ours) instead of \(foundations)")
    guard case .success(let items) = ours else { return }
    let analysis = Analysis(reading: ConversationLog(items: items))
    let bounds = 0...Analysis.mostOfAKind
    expect(
        bounds ~= analysis.userInitiatedQuestions && bounds ~= analysis.newMemoriesCount,
        "an analysis out of its bounds"
    )
}

/// The reader of logs that was ours before, on top of `JSONDecoder`.
private struct FoundationLog: Decodable {
    private var items: [FoundationItem] = []

    static func items(in data: Data) throws(ConversationLogError) -> [ConversationLog.Item] {
        let log: FoundationLog
        do {
            log = try JSONDecoder().decode(FoundationLog.self, from: data)
        } catch let error as ConversationLogError {
            throw error
        } catch {
            throw .unreadable
        }
        return log.isAPIShape ? try log.normalised() : log.asStandard()
    }

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
                items.append(
                    FoundationItem(try list.nestedContainer(keyedBy: FoundationItem.Key.self))
                )
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

private struct FoundationItem {
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
    /// language's `str.strip()`, which knows four separators more than Foundation (U+001C to
    /// U+001F) and not the zero-width space.
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
