// Reads JSON where it lies. It may touch the bytes it was given and nothing else; it knows no
// names.

/// Walks once through one JSON text (RFC 8259, UTF-8), checks all of it, and copies nothing: what
/// its user does not ask for costs no memory. Any bytes are safe to read, and in linear time.
///
///     let id = try JSONReader.read(bytes) { json throws(JSONReader.Malformed) in
///         var id: String?
///         try json.enter()
///         while let key = try json.nextKey() {
///             if try key.equals("id") { id = try json.readText().string } else { try json.skip() }
///         }
///         return id
///     }
package struct JSONReader {
    /// Not JSON, not UTF-8, or nested too deeply.
    package struct Malformed: Error {
        /// The index of the byte up to which it was read; nil for what a caller threw.
        package fileprivate(set) var offset: Int?

        package init() {}
    }

    /// What comes next, as far as its first byte says.
    package enum Kind {
        case array, object, string, null, other
    }

    /// Most arrays and objects inside each other; the limit that Foundation's decoder has.
    package static let deepest = 512

    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    private var depth = 0
    /// Between the opening of an array or object and its first element.
    private var isAtFirst = false

    /// - Parameters:
    ///   - text: may begin with a byte order mark.
    ///   - readValue: reads or skips the one value that makes up the text. What it returns must
    ///     hold no `JSONText`, for those end with the reader.
    package static func read<Value>(
        _ text: some Collection<UInt8>,
        with readValue: (inout JSONReader) throws(Malformed) -> Value
    ) throws(Malformed) -> Value {
        let result = text.withContiguousStorageIfAvailable { bytes in
            Result { () throws(Malformed) in
                var reader = JSONReader(UnsafeRawBufferPointer(bytes))
                do throws(Malformed) {
                    let value = try readValue(&reader)
                    try reader.end()
                    return value
                } catch {
                    var malformed = error
                    malformed.offset = reader.position
                    throw malformed
                }
            }
        }
        guard let result else { return try read(Array(text), with: readValue) }
        return try result.get()
    }

    private init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    }

    /// The byte at an index. Behind the end there are zeros, which no place in a JSON text admits.
    private func byte(_ index: Int) -> UInt8 {
        index < bytes.count ? bytes[index] : 0
    }

    /// The first byte that is no white space; it is not consumed.
    private mutating func firstByte() -> UInt8 {
        while true {
            let byte = byte(position)
            switch byte {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            case _: return byte
            }
        }
    }

    private mutating func expect(_ expected: UInt8) throws(Malformed) {
        guard firstByte() == expected else { throw Malformed() }
        position += 1
    }

    package mutating func nextKind() -> Kind {
        switch firstByte() {
        case UInt8(ascii: "["): .array
        case UInt8(ascii: "{"): .object
        case UInt8(ascii: "\""): .string
        case UInt8(ascii: "n"): .null
        case _: .other
        }
    }
}

// MARK: - Arrays and objects

extension JSONReader {
    /// Goes into the array or object that comes next.
    package mutating func enter() throws(Malformed) {
        let first = firstByte()
        guard first == UInt8(ascii: "[") || first == UInt8(ascii: "{"), depth < Self.deepest else {
            throw Malformed()
        }
        position += 1
        depth += 1
        isAtFirst = true
    }

    /// Goes to the next element of an array, which must then be read or skipped.
    ///
    /// - Returns: false when there is none; the array is left.
    package mutating func nextElement() throws(Malformed) -> Bool {
        try next(orLeaveAt: UInt8(ascii: "]"))
    }

    /// Goes to the next member of an object, whose value must then be read or skipped.
    ///
    /// - Returns: nil when there is none; the object is left.
    package mutating func nextKey() throws(Malformed) -> JSONText? {
        guard try next(orLeaveAt: UInt8(ascii: "}")) else { return nil }
        let key = try readText()
        try expect(UInt8(ascii: ":"))
        return key
    }

    private mutating func next(orLeaveAt end: UInt8) throws(Malformed) -> Bool {
        let wasAtFirst = isAtFirst
        isAtFirst = false
        if firstByte() == end {
            position += 1
            depth -= 1
            return false
        }
        if !wasAtFirst { try expect(UInt8(ascii: ",")) }
        return true
    }

    /// There must be nothing more.
    private mutating func end() throws(Malformed) {
        _ = firstByte()
        guard position == bytes.count else { throw Malformed() }
    }
}

// MARK: - Values

extension JSONReader {
    /// Reads a value, whatever it is, and forgets it.
    package mutating func skip() throws(Malformed) {
        // A bit for each level, set for an object. No recursion: threads have small stacks.
        var isObject = SIMD8<UInt64>()
        let level = depth
        repeat {
            let kind = nextKind()
            switch kind {
            case .array, .object:
                try enter()
                let (word, bit) = ((depth - 1) / 64, UInt64(1) << UInt64((depth - 1) % 64))
                if kind == .object { isObject[word] |= bit } else { isObject[word] &= ~bit }
            case .string: _ = try readText()
            case .null: try skip("null")
            case .other: try skipNumberOrBoolean()
            }
            // To the next value, leaving what ends before it.
            while depth > level {
                let isInObject = isObject[(depth - 1) / 64] >> UInt64((depth - 1) % 64) & 1 == 1
                if isInObject ? try nextKey() != nil : try nextElement() { break }
            }
        } while depth > level
    }

    /// Reads a value, whatever it is.
    ///
    /// - Returns: its text as it stands there, which ends with the reader.
    package mutating func readRaw() throws(Malformed) -> UnsafeRawBufferPointer {
        _ = firstByte()
        let start = position
        try skip()
        return UnsafeRawBufferPointer(rebasing: bytes[start..<position])
    }

    private mutating func skip(_ literal: StaticString) throws(Malformed) {
        for index in 0..<literal.utf8CodeUnitCount {
            guard byte(position + index) == literal.utf8Start[index] else { throw Malformed() }
        }
        position += literal.utf8CodeUnitCount
    }

    private mutating func skipNumberOrBoolean() throws(Malformed) {
        switch byte(position) {
        case UInt8(ascii: "t"): return try skip("true")
        case UInt8(ascii: "f"): return try skip("false")
        case UInt8(ascii: "-"): position += 1
        case _: break
        }
        // No digit may follow a leading zero: after "0" in "01" the caller finds no comma.
        if byte(position) == UInt8(ascii: "0") { position += 1 } else { try skipDigits() }
        if byte(position) == UInt8(ascii: ".") {
            position += 1
            try skipDigits()
        }
        if byte(position) | 0x20 == UInt8(ascii: "e") {
            position += 1
            if [UInt8(ascii: "+"), UInt8(ascii: "-")].contains(byte(position)) { position += 1 }
            try skipDigits()
        }
    }

    /// At least one.
    private mutating func skipDigits() throws(Malformed) {
        let start = position
        while UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte(position) { position += 1 }
        if position == start { throw Malformed() }
    }
}

// MARK: - Strings

extension JSONReader {
    package mutating func readText() throws(Malformed) -> JSONText {
        try expect(UInt8(ascii: "\""))
        let start = position
        var hasEscapes = false
        while true {
            skipPlainText()
            switch byte(position) {
            case UInt8(ascii: "\""):
                let text = UnsafeRawBufferPointer(rebasing: bytes[start..<position])
                position += 1
                return JSONText(bytes: text, hasEscapes: hasEscapes)
            case UInt8(ascii: "\\"):
                hasEscapes = true
                try skipEscape()
            case 0x80...:
                try skipSequence()
            case _:
                throw Malformed()  // A control character, or the end.
            }
        }
    }

    /// Skips what is ASCII and stands for itself, eight bytes at a time while it can.
    private mutating func skipPlainText() {
        while position + 8 <= bytes.count {
            let word = UInt64(
                littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)
            )
            let special = Self.special(word)
            position += special.trailingZeroBitCount / 8  // 8 when there is none.
            if special != 0 { return }
        }
        while Self.isPlain(byte(position)) { position += 1 }
    }

    /// The high bit of each byte that is no plain text. Those above the lowest such byte may be
    /// wrong, for a borrow runs upwards.
    private static func special(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        func zeros(_ word: UInt64) -> UInt64 { (word &- ones) & ~word }
        let control = (word &- ones &* 0x20) & ~word
        let quote = zeros(word ^ (ones &* 0x22))
        let backslash = zeros(word ^ (ones &* 0x5C))
        return (word | control | quote | backslash) & (ones &* 0x80)
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        0x20..<0x80 ~= byte && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }

    /// Checks the form only: half a surrogate pair is good JSON, though it is no text.
    private mutating func skipEscape() throws(Malformed) {
        switch byte(position + 1) {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"),
            UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            position += 2
        case UInt8(ascii: "u"):
            for index in 2..<6 where JSONText.hexDigit(byte(position + index)) == nil {
                throw Malformed()
            }
            position += 6
        case _:
            throw Malformed()
        }
    }

    /// One character of more than one byte, by the table of well-formed sequences in the Unicode
    /// standard (3-7): no overlong forms, no surrogates, nothing above U+10FFFF.
    private mutating func skipSequence() throws(Malformed) {
        let lead = byte(position)
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch lead {
        case 0xC2...0xDF: length = 2
        case 0xE0...0xEF:
            length = 3
            if lead == 0xE0 { second = 0xA0...0xBF }
            if lead == 0xED { second = 0x80...0x9F }
        case 0xF0...0xF4:
            length = 4
            if lead == 0xF0 { second = 0x90...0xBF }
            if lead == 0xF4 { second = 0x80...0x8F }
        case _: throw Malformed()
        }
        guard second ~= byte(position + 1) else { throw Malformed() }
        for index in 2..<max(2, length) where byte(position + index) & 0xC0 != 0x80 {
            throw Malformed()
        }
        position += length
    }
}
