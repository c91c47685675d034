/// An array of texts as the server writes it: `{plain,"quo\"ted",NULL}`.
enum ArrayText {
    private static let (open, close) = (UInt8(ascii: "{"), UInt8(ascii: "}"))
    private static let (comma, quote) = (UInt8(ascii: ","), UInt8(ascii: "\""))
    private static let backslash = UInt8(ascii: "\\")

    /// - Returns: nil where the text is no array of one dimension.
    static func elements(of text: some Collection<UInt8>) -> [String?]? {
        guard text.first == open else { return nil }
        var rest = text.dropFirst()
        if rest.elementsEqual([close]) { return [] }
        var elements: [String?] = []
        while let first = rest.first {
            if first == quote {
                rest.removeFirst()
                guard let element = quoted(&rest) else { return nil }
                elements.append(element)
            } else {
                let plain = rest.prefix { $0 != comma && $0 != close && $0 != open }
                if plain.isEmpty { return nil }
                rest = rest[plain.endIndex...]
                let element = String(decoding: plain, as: UTF8.self)
                elements.append(element == "NULL" ? nil : element)
            }
            switch rest.popFirst() {
            case comma: continue
            case close where rest.isEmpty: return elements
            case _: return nil
            }
        }
        return nil
    }

    /// Takes the rest of a quoted element, its closing quote included.
    private static func quoted<Text: Collection<UInt8>>(_ rest: inout Text) -> String?
    where Text.SubSequence == Text {
        var bytes: [UInt8] = []
        while let next = rest.popFirst() {
            switch next {
            case quote: return String(decoding: bytes, as: UTF8.self)
            case backslash:
                guard let escaped = rest.popFirst() else { return nil }
                bytes.append(escaped)
            case _: bytes.append(next)
            }
        }
        return nil
    }
}
