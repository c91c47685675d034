import Foundation
import JSON

/// Reads the items of a log in one pass. Only what is kept becomes a String.
struct LogReader {
    private var items: [ConversationLog.Item] = []
    private let readsTexts: Bool
    /// Of the first item, which alone decides, as in the service whose tables these are.
    private var isAPIShape: Bool?
    /// The first complaint of its kind. Text that is no JSON goes before both, wherever it is.
    private var notAnObject: Int?
    private var notText: Int?
    /// Of items in the API shape, their places in the list; nil where they are not asked for.
    private var places: [Int]?
    /// Items of the list, those that were dropped included.
    private var count = 0

    private init(readsTexts: Bool, keepsPlaces: Bool = false) {
        self.readsTexts = readsTexts
        if keepsPlaces { places = [] }
        // Most logs are no longer, and the array need not grow step by step.
        items.reserveCapacity(32)
    }

    static func items(
        in text: Data,
        readsTexts: Bool
    ) throws(ConversationLogError) -> [ConversationLog.Item] {
        var log = LogReader(readsTexts: readsTexts)
        try log.read(text)
        return log.items
    }

    /// - Returns: nil for a log in the standard shape.
    static func converted(
        _ text: some Collection<UInt8>
    ) throws(ConversationLogError) -> ConversationLog.Converted? {
        var log = LogReader(readsTexts: true, keepsPlaces: true)
        try log.read(text)
        guard log.isAPIShape == true, let places = log.places else { return nil }
        return .init(kept: zip(places, log.items).map { ($0, $1) }, count: log.count)
    }

    private mutating func read(
        _ text: some Collection<UInt8>
    ) throws(ConversationLogError) {
        var isList = true
        do throws(JSONReader.Malformed) {
            try JSONReader.read(text) { json throws(JSONReader.Malformed) in
                isList = json.nextKind() == .array
                if isList { try readList(&json) } else { try json.skip() }
            }
        } catch {
            throw .unreadable
        }
        if !isList { throw .notAList }
        if let index = notAnObject { throw .itemNotAnObject(index: index) }
        if let index = notText { throw .contentNotText(index: index) }
    }

    static func items(
        ofSpeakers text: Data
    ) throws(ConversationLogError) -> [ConversationLog.Item] {
        var items: [ConversationLog.Item] = []
        items.reserveCapacity(32)
        do throws(JSONReader.Malformed) {
            try JSONReader.read(text) { json throws(JSONReader.Malformed) in
                try json.enter()
                while try json.nextElement() {
                    var speaker = StoredItem.Member.absent
                    try speaker.read(&json)
                    items.append(.init(speaker: speaker.standardSpeaker, text: ""))
                }
            }
        } catch {
            throw .unreadable
        }
        return items
    }

    private mutating func readList(_ json: inout JSONReader) throws(JSONReader.Malformed) {
        try json.enter()
        while try json.nextElement() {
            if notAnObject == nil, json.nextKind() == .object {
                take(try StoredItem(&json), at: count)
            } else {
                notAnObject = notAnObject ?? count
                try json.skip()
            }
            count += 1
        }
    }

    private mutating func take(_ item: StoredItem, at index: Int) {
        let isAPI = isAPIShape ?? item.isAPIShape
        isAPIShape = isAPI
        if !isAPI {
            let text = readsTexts ? item.text.string ?? "" : ""
            items.append(.init(speaker: item.speaker.standardSpeaker, text: text))
        } else if !readsTexts, item.content.beginsWithMark {
            items.append(.init(speaker: item.apiSpeaker, text: ""))
        } else if let content = item.content.string {
            let text = content.strippedAsInPython
            if text.isEmpty { return }
            places?.append(index)
            items.append(.init(speaker: item.apiSpeaker, text: readsTexts ? text : ""))
        } else {
            notText = notText ?? index
        }
    }
}

/// One item as stored, before its shape is known.
private struct StoredItem {
    enum Member {
        case absent, null, otherType
        case text(JSONText)

        /// Of several members with one name the first counts.
        mutating func read(_ json: inout JSONReader) throws(JSONReader.Malformed) {
            guard case .absent = self else { return try json.skip() }
            switch json.nextKind() {
            case .string: self = .text(try json.readText())
            case .null:
                self = .null
                try json.skip()
            case .array, .object, .other:
                self = .otherType
                try json.skip()
            }
        }

        var isAbsent: Bool { if case .absent = self { true } else { false } }

        /// Whether it is a text without an escape that spells exactly this.
        func isPlainly(_ word: StaticString) -> Bool {
            if case .text(let text) = self { text.isPlainly(word) } else { false }
        }

        var standardSpeaker: Speaker {
            // As nearly all of them are spelled; to make a String of each takes longer than to read
            // it.
            if isPlainly("user") { return .user }
            if isPlainly("pika") { return .pika }
            return switch string?.lowercased() {
            case "pika": .pika
            case "user": .user
            case _: .other
            }
        }

        /// Whether it surely is a text of more than white space.
        var beginsWithMark: Bool {
            if case .text(let text) = self { text.beginsWithMark } else { false }
        }

        /// Empty where there is nothing; nil for what is no text.
        var string: String? {
            switch self {
            case .absent, .null: ""
            case .otherType: nil
            case .text(let text): text.string
            }
        }
    }

    var speaker = Member.absent
    var text = Member.absent
    var hasTurnID = false
    var character = Member.absent
    var content = Member.absent

    init(_ json: inout JSONReader) throws(JSONReader.Malformed) {
        try json.enter()
        while let key = try json.nextKey() {
            if try key.equals("speaker") {
                try speaker.read(&json)
            } else if try key.equals("text") {
                try text.read(&json)
            } else if try key.equals("character") {
                try character.read(&json)
            } else if try key.equals("content") {
                try content.read(&json)
            } else {
                if try key.equals("turn_id") { hasTurnID = true }
                try json.skip()
            }
        }
    }

    var isAPIShape: Bool {
        let isStandard = !speaker.isAbsent && hasTurnID && !text.isAbsent
        return !character.isAbsent && !content.isAbsent && !isStandard
    }

    var apiSpeaker: Speaker {
        if character.isPlainly("USER_RESPONSE_CONVERSATION") { return .user }
        if character.isPlainly("BOT_RESPONSE_CONVERSATION") { return .pika }
        let name = Array((character.string ?? "").uppercased().utf8)
        // By code points, as in the service whose tables these are: an accent after it hides no
        // word.
        func holds(_ word: StaticString) -> Bool {
            word.withUTF8Buffer { word in
                name.indices.contains { name[$0...].starts(with: word) }
            }
        }
        return !holds("BOT") && !holds("PIKA") && holds("USER") ? .user : .pika
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
        // Most begin and end so.
        func isMark(_ byte: UInt8?) -> Bool { byte.map { 0x21..<0x80 ~= $0 } ?? false }
        if isMark(utf8.first), isMark(utf8.last) { return self }
        let scalars = unicodeScalars.drop(while: isSpace)
        guard let last = scalars.lastIndex(where: { !isSpace($0) }) else { return "" }
        return String(scalars[...last])
    }
}
