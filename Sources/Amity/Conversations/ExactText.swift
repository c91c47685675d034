/// A text that equals another only byte for byte, as the database compares its keys.
///
/// Swift's String holds "mẹ" in one code point and in two for equal. They are two users.
struct ExactText: Hashable, Sendable, CustomStringConvertible {
    let text: String

    init(_ text: String) {
        self.text = text
    }

    static func == (lhs: Self, rhs: Self) -> Bool {
        lhs.text.utf8.elementsEqual(rhs.text.utf8)
    }

    func hash(into hasher: inout Hasher) {
        for byte in text.utf8 { hasher.combine(byte) }
        hasher.combine(0xFF as UInt8)  // No UTF-8 holds it, so the end is unambiguous.
    }

    var description: String { text }
}
