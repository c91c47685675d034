extension JSONText {
    /// What PostgreSQL's `jsonb` refuses in a text that is good JSON, or writes out at a length of
    /// its own.
    package enum Unstorable: Sendable {
        /// `\u0000`, which no text of PostgreSQL's holds.
        case nul
        /// Half a surrogate pair.
        case halfSurrogate
        /// A number of which `jsonb` keeps every digit: `1e131071` has 131,072.
        case longNumber
    }

    /// Digits of a number, and its exponent either way. Chosen: more than a double has, and not
    /// many times the bytes that were sent.
    private static let mostDigits = 40

    /// Looks through all strings and numbers of a JSON text.
    ///
    /// - Parameter json: well-formed, as `JSONReader.readRaw` returns it.
    package static func unstorable(in json: some Collection<UInt8>) -> Unstorable? {
        json.withContiguousStorageIfAvailable { unstorable(in: UnsafeRawBufferPointer($0)) }
            ?? Array(json).withUnsafeBytes { unstorable(in: $0) }
    }

    private static func unstorable(in json: UnsafeRawBufferPointer) -> Unstorable? {
        unstorableText(in: json) ?? (hasLongNumber(json) ? .longNumber : nil)
    }

    private static func hasLongNumber(_ json: UnsafeRawBufferPointer) -> Bool {
        var (isText, isEscaped) = (false, false)
        var (length, exponent) = (0, Int?.none)
        for byte in json {
            if isText {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isText = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isText = true
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                length += 1
                // Bounded by the length, which is checked first.
                exponent = exponent.map { $0 * 10 + Int(byte - UInt8(ascii: "0")) }
                if length > mostDigits || exponent ?? 0 > mostDigits { return true }
            case UInt8(ascii: "e"), UInt8(ascii: "E"): exponent = 0
            case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."): break
            case _: (length, exponent) = (0, nil)
            }
        }
        return false
    }

    private static func unstorableText(in json: UnsafeRawBufferPointer) -> Unstorable? {
        var rest = json[...]
        while let backslash = rest.firstIndex(of: UInt8(ascii: "\\")) {
            guard json[backslash + 1] == UInt8(ascii: "u") else {
                rest = rest[(backslash + 2)...]
                continue
            }
            let unit = codeUnit(at: backslash, in: json)
            rest = rest[(backslash + 6)...]
            if unit == 0 { return .nul }
            if UTF16.isTrailSurrogate(unit) { return .halfSurrogate }
            guard UTF16.isLeadSurrogate(unit) else { continue }
            guard rest.starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "u")]),
                UTF16.isTrailSurrogate(codeUnit(at: rest.startIndex, in: json))
            else { return .halfSurrogate }
            rest = rest.dropFirst(6)
        }
        return nil
    }
}
