extension JSONText {
    /// What PostgreSQL's `jsonb` refuses in a text that is good JSON.
    package enum Unstorable: Sendable {
        /// `\u0000`, which no text of PostgreSQL's holds.
        case nul
        /// Half a surrogate pair.
        case halfSurrogate
    }

    /// Looks through all strings of a JSON text.
    ///
    /// - Parameter json: well-formed, as `JSONReader.readRaw` returns it.
    package static func unstorable(in json: some Collection<UInt8>) -> Unstorable? {
        json.withContiguousStorageIfAvailable { unstorable(in: UnsafeRawBufferPointer($0)) }
            ?? Array(json).withUnsafeBytes { unstorable(in: $0) }
    }

    private static func unstorable(in json: UnsafeRawBufferPointer) -> Unstorable? {
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
