/// A text that equals another only byte for byte, as the database compares its keys.
///
/// Swift's String holds "mẹ" in one code point and in two for equal. They are two users.
package struct ExactText: Hashable, Sendable, CustomStringConvertible {
    package let text: String

    package init(_ text: String) {
        self.text = text
    }

    package static func == (lhs: Self, rhs: Self) -> Bool {
        lhs.text.utf8.elementsEqual(rhs.text.utf8)
    }

    package func hash(into hasher: inout Hasher) {
        for byte in text.utf8 { hasher.combine(byte) }
        hasher.combine(0xFF as UInt8)  // No UTF-8 holds it, so the end is unambiguous.
    }

    package var description: String { text }
}
