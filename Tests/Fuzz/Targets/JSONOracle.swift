import Foundation

/// What Foundation makes of the same bytes. It has two readers, and neither keeps to the grammar:
///
/// - `JSONDecoder` looks at strings and numbers only where their value is asked for. Elsewhere it
///   takes `01`, `1-`, `"\q"`, raw control characters and bytes that are not UTF-8.
/// - `JSONSerialization` looks at everything, but refuses numbers no Double can hold and halves of
///   surrogate pairs, which are JSON.
///
/// Both take a comma behind the last element. So the truth is in between: what the decoder refuses
/// must be refused, and what both take must be taken.
enum JSONOracle {
    /// Whether Foundation would guess UTF-16 or UTF-32. What is JSON in UTF-8 holds no zero byte.
    static func isOtherEncoding(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.contains(0) || bytes.starts(with: [0xFE, 0xFF]) || bytes.starts(with: [0xFF, 0xFE])
    }

    static func isSurelyJSON(_ bytes: UnsafeRawBufferPointer) -> Bool {
        do {
            _ = try JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
            return !hasTrailingComma(bytes)
        } catch {
            return false
        }
    }

    /// Of a text that is JSON otherwise.
    private static func hasTrailingComma(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var (isInString, isEscaped, isBehindComma) = (false, false, false)
        for byte in bytes {
            if isInString {
                if !isEscaped, byte == UInt8(ascii: "\"") { isInString = false }
                isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
                continue
            }
            switch byte {
            case 0x20, 0x0A, 0x0D, 0x09: continue
            case UInt8(ascii: "]"), UInt8(ascii: "}"): if isBehindComma { return true }
            case UInt8(ascii: "\""): isInString = true
            case _: break
            }
            isBehindComma = byte == UInt8(ascii: ",")
        }
        return false
    }
}
