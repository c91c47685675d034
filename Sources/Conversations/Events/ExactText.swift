/// A text that equals another only byte for byte, as the database compares its keys.
///
/// Swift's String holds "mẹ" in one code point and in two for equal. They are two users.
package struct ExactText: Hashable, Sendable, CustomStringConvertible {
    package let text: String

    package init(_ text: String) {
        self.text = text
    }

    package static func == (lhs: Self, rhs: Self) -> Bool {
        lhs.withBytes { left in
            rhs.withBytes { right in
                left.count == right.count && left.elementsEqual(right)
            }
        }
    }

    package func hash(into hasher: inout Hasher) {
        withBytes { hasher.combine(bytes: $0) }
        hasher.combine(0xFF as UInt8)  // No UTF-8 holds it, so the end is unambiguous.
    }

    /// A string's bytes lie together, unless it comes from another world.
    private func withBytes<Value>(_ body: (UnsafeRawBufferPointer) -> Value) -> Value {
        text.utf8.withContiguousStorageIfAvailable { body(UnsafeRawBufferPointer($0)) }
            ?? Array(text.utf8).withUnsafeBytes(body)
    }

    package var description: String { text }
}
