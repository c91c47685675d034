/// A string of a JSON text, still as it stands there between its quotes.
package struct JSONText {
    /// Well-formed UTF-8 with well-formed escapes: the reader has seen to it.
    let bytes: UnsafeRawBufferPointer
    let hasEscapes: Bool

    /// A copy with its escapes undone; nil when it holds half a surrogate pair, which is no text.
    package var string: String? {
        guard hasEscapes else { return String(decoding: bytes, as: UTF8.self) }
        var isText = true
        // No escape is shorter than what it stands for.
        let string = String(unsafeUninitializedCapacity: bytes.count) { buffer in
            guard let count = unescape(into: buffer) else {
                isText = false
                return 0
            }
            return count
        }
        return isText ? string : nil
    }

    /// - Throws: when this holds half a surrogate pair: it is no text and cannot be compared.
    package func equals(_ other: StaticString) throws(JSONReader.Malformed) -> Bool {
        guard hasEscapes else { return isPlainly(other) }
        guard let string else { throw JSONReader.Malformed() }
        return other.withUTF8Buffer { string.utf8.elementsEqual($0) }
    }

    /// Whether it spells this without an escape.
    package func isPlainly(_ other: StaticString) -> Bool {
        guard !hasEscapes, bytes.count == other.utf8CodeUnitCount else { return false }
        // A loop, for elementsEqual costs a fifth of all the time.
        let start = other.utf8Start
        for index in 0..<bytes.count where bytes[index] != start[index] { return false }
        return true
    }

    /// Whether it has no escapes and begins with a byte of ASCII that is no white space.
    package var beginsWithMark: Bool {
        !hasEscapes && (bytes.first.map { 0x21..<0x80 ~= $0 } ?? false)
    }

    /// - Returns: how many bytes it has written; nil for half a surrogate pair.
    private func unescape(into buffer: UnsafeMutableBufferPointer<UInt8>) -> Int? {
        var (source, count) = (0, 0)
        func write(_ byte: UInt8) {
            buffer[count] = byte
            count += 1
        }
        while source < bytes.count {
            guard bytes[source] == UInt8(ascii: "\\") else {
                write(bytes[source])
                source += 1
                continue
            }
            let escape = bytes[source + 1]
            if escape == UInt8(ascii: "u") {
                guard let (scalar, length) = scalar(at: source) else { return nil }
                for byte in String(scalar).utf8 { write(byte) }
                source += length
            } else {
                write(Self.meaning(of: escape))
                source += 2
            }
        }
        return count
    }

    /// The scalar that one `\u` escape or a pair of them stands for, and the length of what spells
    /// it.
    private func scalar(at index: Int) -> (Unicode.Scalar, length: Int)? {
        let unit = codeUnit(at: index)
        if let scalar = Unicode.Scalar(unit) { return (scalar, 6) }
        guard UTF16.isLeadSurrogate(unit), index + 12 <= bytes.count,
            bytes[index + 6] == UInt8(ascii: "\\"), bytes[index + 7] == UInt8(ascii: "u")
        else { return nil }
        let low = codeUnit(at: index + 6)
        guard UTF16.isTrailSurrogate(low) else { return nil }
        let scalar = 0x10000 + (UInt32(unit & 0x3FF) << 10 | UInt32(low & 0x3FF))
        return Unicode.Scalar(scalar).map { ($0, 12) }
    }

    private func codeUnit(at index: Int) -> UInt16 { Self.codeUnit(at: index, in: bytes) }

    /// Of the `\u` escape that begins there.
    static func codeUnit(at index: Int, in bytes: UnsafeRawBufferPointer) -> UInt16 {
        (index + 2..<index + 6).reduce(0) { $0 << 4 | (hexDigit(bytes[$1]) ?? 0) }
    }

    static func hexDigit(_ byte: UInt8) -> UInt16? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt16(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt16(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt16(byte - UInt8(ascii: "A") + 10)
        case _: nil
        }
    }

    /// Of the letter behind a backslash.
    private static func meaning(of escape: UInt8) -> UInt8 {
        switch escape {
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        case _: escape
        }
    }
}
