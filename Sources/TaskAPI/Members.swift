import Foundation
import HTTPServing
import JSON

/// The members of a JSON object of a request. What is wrong with them is noted, all of it, without
/// a word of what was sent.
struct Members {
    private static let mostDefects = 100

    /// As they stand in the body.
    private var raw: [String: [UInt8]] = [:]
    /// Of the object.
    private let pointer: String
    private(set) var defects: [Problem.Defect] = []

    /// - Parameters:
    ///   - json: well-formed, or not.
    ///   - known: names of members that the request may have.
    ///   - later: names of members that mean something in a version to come.
    init(
        _ json: some Collection<UInt8>,
        at pointer: String = "",
        knowing known: Set<String>,
        later: Set<String> = []
    ) throws(Problem) {
        self.pointer = pointer
        let members: [String: [UInt8]]?
        do throws(JSONReader.Malformed) {
            members = try JSONReader.read(json, with: Self.members)
        } catch {
            throw Problem.noJSON
        }
        guard let members else {
            note("", "is no object")
            return
        }
        raw = members
        for name in members.keys.sorted() where !known.contains(name) {
            note(name, later.contains(name) ? "is not built yet" : "is unknown")
        }
    }

    /// - Returns: nil for what is no object.
    private static func members(
        _ json: inout JSONReader
    ) throws(JSONReader.Malformed) -> [String: [UInt8]]? {
        guard json.nextKind() == .object else {
            try json.skip()
            return nil
        }
        var members: [String: [UInt8]] = [:]
        try json.enter()
        while let key = try json.nextKey() {
            guard let name = key.string else { throw JSONReader.Malformed() }
            members[name] = Array(try json.readRaw())
        }
        return members
    }

    /// The elements of an array as they stand there; nil for what is no array.
    static func elements(_ json: [UInt8]) throws(Problem) -> [[UInt8]]? {
        do throws(JSONReader.Malformed) {
            return try JSONReader.read(json) { json throws(JSONReader.Malformed) in
                guard json.nextKind() == .array else {
                    try json.skip()
                    return nil
                }
                var elements: [[UInt8]] = []
                try json.enter()
                while try json.nextElement() { elements.append(Array(try json.readRaw())) }
                return elements
            }
        } catch {
            throw Problem.noJSON
        }
    }

    mutating func note(_ name: String, _ detail: String) {
        guard defects.count < Self.mostDefects else { return }
        // As RFC 6901 escapes it. A name is the client's own: it is cut.
        let escaped = String(name.prefix(100)).replacing("~", with: "~0")
            .replacing("/", with: "~1")
        defects.append(.init(at: name.isEmpty ? pointer : "\(pointer)/\(escaped)", detail))
    }

    /// Those of an object within.
    mutating func add(_ more: [Problem.Defect]) {
        defects += more.prefix(Self.mostDefects - defects.count)
    }

    /// Of an element of an array.
    mutating func note(_ name: String, at index: Int, _ detail: String) {
        guard defects.count < Self.mostDefects else { return }
        defects.append(.init(at: "\(pointer)/\(name)/\(index)", detail))
    }

    /// - Throws: `Problem` 422 where something is wrong.
    func check() throws(Problem) { try Problem.check(defects) }

    // MARK: Values

    /// Whether it is there, and not null.
    func has(_ name: String) -> Bool { value(name) != nil }

    private func value(_ name: String) -> [UInt8]? {
        raw[name].flatMap { $0 == Array("null".utf8) ? nil : $0 }
    }

    /// A value of any kind, null too, as JSON that the database stores.
    mutating func json(_ name: String, atMost bytes: Int) -> String? {
        guard let value = raw[name] else { return nil }
        if value.count > bytes {
            note(name, "has more than \(bytes >> 10) KB")
            return nil
        }
        if let reason = JSONText.unstorable(in: value) {
            note(name, reason.detail)
            return nil
        }
        return String(decoding: value, as: UTF8.self)
    }

    /// - Parameter length: in characters.
    mutating func text(_ name: String, _ length: ClosedRange<Int>) -> String? {
        guard let value = value(name) else { return nil }
        guard let text = Self.text(value) else {
            note(name, "is no string")
            return nil
        }
        if text.utf8.contains(0) {
            note(name, JSONText.Unstorable.nul.detail)
            return nil
        }
        if length.contains(text.unicodeScalars.count) { return text }
        note(name, "has \(length.lowerBound) to \(length.upperBound) characters")
        return nil
    }

    private static func text(_ json: [UInt8]) -> String? {
        do throws(JSONReader.Malformed) {
            return try JSONReader.read(json) { json throws(JSONReader.Malformed) in
                try json.readText().string
            }
        } catch { return nil }
    }

    mutating func number(_ name: String, _ range: ClosedRange<Double>) -> Double? {
        guard let value = value(name) else { return nil }
        if let number = Double(String(decoding: value, as: UTF8.self)), range.contains(number) {
            return number
        }
        note(name, "is a number from \(Int(range.lowerBound)) to \(Int(range.upperBound))")
        return nil
    }

    mutating func integer(_ name: String, _ range: ClosedRange<Int>) -> Int? {
        guard let value = value(name) else { return nil }
        let number = Double(String(decoding: value, as: UTF8.self))
        if let integer = number.flatMap(Int.init(exactly:)), range.contains(integer) {
            return integer
        }
        note(name, "is a whole number from \(range.lowerBound) to \(range.upperBound)")
        return nil
    }

    mutating func flag(_ name: String) -> Bool? {
        guard let value = value(name) else { return nil }
        switch String(decoding: value, as: UTF8.self) {
        case "true": return true
        case "false": return false
        case _:
            note(name, "is true or false")
            return nil
        }
    }

    mutating func time(_ name: String) -> Date? {
        guard let text = text(name, 1...64) else { return nil }
        if let time = TaskTime.date(text) { return time }
        note(name, "is a time as ISO 8601 has it, with its zone")
        return nil
    }

    /// An array of texts; nil where it is missing or wrong.
    mutating func texts(
        _ name: String,
        atMost count: Int,
        _ length: ClosedRange<Int>
    ) -> [String]? {
        guard let value = value(name) else { return nil }
        let found: [[UInt8]]?
        do throws(Problem) { found = try Self.elements(value) } catch { found = nil }
        let texts = found?.compactMap(Self.text) ?? []
        let isRight = texts.allSatisfy {
            length.contains($0.unicodeScalars.count) && !$0.utf8.contains(0)
        }
        if let found, texts.count == found.count, texts.count <= count, isRight { return texts }
        note(
            name,
            "is an array of at most \(count) strings of \(length.lowerBound) to "
                + "\(length.upperBound) characters"
        )
        return nil
    }
}

extension JSONText.Unstorable {
    fileprivate var detail: String {
        switch self {
        case .nul: "has \\u0000, which the database does not store"
        case .halfSurrogate: "has half a surrogate pair, which is no text"
        case .longNumber: "has a number of more than 40 digits, written out without an exponent"
        }
    }
}

extension Problem {
    fileprivate static let noJSON = Problem(
        .badRequest,
        code: "malformed_json",
        "the body is no JSON, or is nested more than \(JSONReader.deepest) levels deep"
    )

    /// - Throws: 422 where there are any.
    static func check(_ defects: [Defect]) throws(Problem) {
        if defects.isEmpty { return }
        throw Problem(
            .unprocessableContent,
            code: "invalid",
            "members are missing or wrong",
            defects: defects
        )
    }
}
