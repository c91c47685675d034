import Foundation

/// A UUID in lower case.
package struct TaskID: Hashable, Sendable, Codable, CustomStringConvertible {
    package let text: String

    /// - Returns: nil for what is no UUID of 36 characters.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        let isWellFormed =
            bytes.count == 36
            && bytes.indices.allSatisfy { index in
                let isDash = bytes[index] == UInt8(ascii: "-")
                return [8, 13, 18, 23].contains(index)
                    ? isDash : Self.isHexadecimal(bytes[index])
            }
        if !isWellFormed { return nil }
        self.text = text.lowercased()
    }

    /// A new one, for a process.
    package static func random() -> TaskID { TaskID(stored: UUID().uuidString.lowercased()) }

    /// As the database writes it.
    package init(stored text: String) { self.text = text }

    /// The first id of an instant: no id of a task made later is smaller.
    ///
    /// - Parameter milliseconds: since 1970.
    package init(firstAt milliseconds: Int) {
        let digits = String(max(0, milliseconds) & 0xFFFF_FFFF_FFFF, radix: 16)
        let padded = String(repeating: "0", count: 12 - digits.count) + digits
        text = "\(padded.prefix(8))-\(padded.suffix(4))-7000-8000-000000000000"
    }

    package init(from decoder: any Decoder) throws {
        text = try decoder.singleValueContainer().decode(String.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }

    package var description: String { text }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        case _: false
        }
    }
}
