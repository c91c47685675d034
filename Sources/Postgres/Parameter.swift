/// A value for a statement.
package enum Parameter: Sendable {
    case null
    case text(String)
    case integer(Int)
    case double(Double)
    case textArray([String?])
    case integerArray([Int])
    case doubleArray([Double])

    /// Appends it in PostgreSQL's text format; nothing for SQL's NULL.
    ///
    /// No string holds NUL: the server would refuse it (22021), and a C string would end there.
    fileprivate func write(to bytes: inout [UInt8]) {
        switch self {
        case .null: break
        case .text(let text): bytes.append(contentsOf: text.utf8)
        case .integer(let integer): bytes.append(contentsOf: String(integer).utf8)
        case .double(let double): bytes.append(contentsOf: double.description.utf8)
        case .textArray(let texts):
            Self.write(texts, to: &bytes) { text, bytes in
                if let text {
                    Self.write(quoted: text, to: &bytes)
                } else {
                    bytes.append(contentsOf: "NULL".utf8)
                }
            }
        case .integerArray(let integers):
            Self.write(integers, to: &bytes) { $1.append(contentsOf: String($0).utf8) }
        case .doubleArray(let doubles):
            Self.write(doubles, to: &bytes) { $1.append(contentsOf: $0.description.utf8) }
        }
    }

    private static func write<Element>(
        _ elements: [Element],
        to bytes: inout [UInt8],
        appending: (Element, inout [UInt8]) -> Void
    ) {
        bytes.append(UInt8(ascii: "{"))
        for (index, element) in elements.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            appending(element, &bytes)
        }
        bytes.append(UInt8(ascii: "}"))
    }

    private static func write(quoted text: String, to bytes: inout [UInt8]) {
        let (quote, backslash) = (UInt8(ascii: "\""), UInt8(ascii: "\\"))
        bytes.append(quote)
        // A view of the text's own bytes: to go through its characters costs more than all the rest
        // of a parameter.
        var text = text
        text.withUTF8 { text in
            var begin = 0
            // What needs no escape, most texts as a whole, is copied in one go.
            for index in text.indices where text[index] == quote || text[index] == backslash {
                bytes.append(contentsOf: text[begin..<index])
                bytes.append(backslash)
                begin = index
            }
            bytes.append(contentsOf: text[begin...])
        }
        bytes.append(quote)
    }
}

/// Lends parameters, or keywords, as libpq takes them: C strings, and a null behind them. The next
/// ones take the memory over.
struct ParameterBuffer {
    private var bytes: [UInt8] = []
    /// Where each begins; nil for NULL.
    private var starts: [Int?] = []

    mutating func withCStrings<R>(
        _ parameters: [Parameter],
        _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> R
    ) -> R {
        bytes.removeAll(keepingCapacity: true)
        starts.removeAll(keepingCapacity: true)
        for parameter in parameters {
            if case .null = parameter {
                starts.append(nil)
            } else {
                starts.append(bytes.count)
                parameter.write(to: &bytes)
                bytes.append(0)
            }
        }
        return bytes.withUnsafeBytes { bytes in
            let strings = bytes.bindMemory(to: CChar.self)
            let pointers = starts.map { $0.map { strings.baseAddress! + $0 } } + [nil]
            return pointers.withUnsafeBufferPointer { body($0.baseAddress!) }
        }
    }
}
