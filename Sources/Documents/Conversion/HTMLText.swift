/// Takes the text out of HTML, however broken: no tags, no scripts and styles, characters for their
/// references, an empty line between blocks.
enum HTMLText {
    static func text(of source: String) -> String {
        var reader = HTMLReader(Array(source.utf8))
        return reader.readAll()
    }
}

private struct HTMLReader {
    private let bytes: [UInt8]
    private var place = 0
    private var text: [UInt8] = []
    /// White space that stands before the next text: none, a blank, a new line, an empty line.
    private var gap = Gap.none

    private enum Gap: Int { case none, blank, line, paragraph }

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func readAll() -> String {
        while place < bytes.count {
            switch bytes[place] {
            case UInt8(ascii: "<"): readMarkup()
            case UInt8(ascii: "&"): readReference()
            case 0x20, 0x09, 0x0A, 0x0C, 0x0D:
                widen(to: .blank)
                place += 1
            case let byte:
                append([byte])
                place += 1
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    private mutating func widen(to gap: Gap) {
        if gap.rawValue > self.gap.rawValue { self.gap = gap }
    }

    private mutating func append(_ characters: some Collection<UInt8>) {
        if !text.isEmpty {
            switch gap {
            case .none: break
            case .blank: text.append(UInt8(ascii: " "))
            case .line: text.append(UInt8(ascii: "\n"))
            case .paragraph: text += [UInt8(ascii: "\n"), UInt8(ascii: "\n")]
            }
        }
        gap = .none
        text += characters
    }

    // MARK: Markup

    private mutating func readMarkup() {
        if hasPrefix("<!--") {
            skip(past: "-->")
            return
        }
        let isEnd = hasPrefix("</")
        let begin = place + (isEnd ? 2 : 1)
        let name = bytes[min(begin, bytes.count)...].prefix { Self.isNamePart($0) }
        let next = begin < bytes.count ? bytes[begin] : 0
        if name.isEmpty, next != UInt8(ascii: "!"), next != UInt8(ascii: "?") {
            append([bytes[place]])
            place += 1
            return
        }
        skipTag(from: begin)
        let tag = String(decoding: name, as: UTF8.self).lowercased()
        if Self.blocks.contains(tag) {
            widen(to: .paragraph)
        } else if Self.lines.contains(tag) {
            widen(to: .line)
        } else if Self.cells.contains(tag) {
            widen(to: .blank)
        } else if Self.hidden.contains(tag), !isEnd {
            skip(past: "</\(tag)")
            skipTag(from: place)
        }
    }

    /// To behind the `>` that stands in no attribute's value.
    private mutating func skipTag(from begin: Int) {
        var quote: UInt8?
        place = begin
        while place < bytes.count {
            let byte = bytes[place]
            place += 1
            if let open = quote {
                if byte == open { quote = nil }
            } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                // Only behind `=`: an apostrophe in a broken tag must not take all the rest.
                if bytes[place - 2] == UInt8(ascii: "=") { quote = byte }
            } else if byte == UInt8(ascii: ">") {
                return
            }
        }
    }

    /// - Parameter end: in lower case.
    private mutating func skip(past end: String) {
        while place < bytes.count, !hasPrefix(end) { place += 1 }
        place = min(bytes.count, place + end.utf8.count)
    }

    private func hasPrefix(_ prefix: String) -> Bool {
        var index = place
        for byte in prefix.utf8 {
            guard index < bytes.count else { return false }
            let isCapital = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(bytes[index])
            if (isCapital ? bytes[index] | 0x20 : bytes[index]) != byte { return false }
            index += 1
        }
        return true
    }

    private static func isNamePart(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static let hidden: Set = ["script", "style", "template", "noscript", "svg"]
    private static let lines: Set = ["br", "li", "dt", "dd", "tr", "option"]
    private static let cells: Set = ["td", "th"]
    private static let blocks: Set = [
        "address", "article", "aside", "blockquote", "body", "caption", "div", "dl", "fieldset",
        "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "head",
        "header", "hr", "main", "nav", "ol", "p", "pre", "section", "table", "title", "ul",
    ]

    // MARK: References

    private mutating func readReference() {
        let body = bytes[(place + 1)...].prefix(10)
        guard let end = body.firstIndex(of: UInt8(ascii: ";")),
            let scalar = Self.scalar(String(decoding: body[..<end], as: UTF8.self))
        else {
            append([bytes[place]])
            place += 1
            return
        }
        place = end + 1
        if scalar == "\u{A0}" {
            widen(to: .blank)
        } else {
            append(String(scalar).utf8)
        }
    }

    private static func scalar(_ name: String) -> Unicode.Scalar? {
        if let known = names[name] { return known }
        guard name.hasPrefix("#") else { return nil }
        let digits = name.dropFirst()
        let isHexadecimal = digits.first == "x" || digits.first == "X"
        let number = isHexadecimal ? UInt32(digits.dropFirst(), radix: 16) : UInt32(digits)
        return number.flatMap { $0 == 0 ? nil : Unicode.Scalar($0) }
    }

    /// Those that are often used where a character itself would do; and those that cannot be.
    private static let names: [String: Unicode.Scalar] = [
        "amp": "&", "lt": "<", "gt": ">", "quot": "\"", "apos": "'", "nbsp": "\u{A0}",
        "ndash": "–", "mdash": "—", "hellip": "…", "lsquo": "‘", "rsquo": "’", "ldquo": "“",
        "rdquo": "”", "bdquo": "„", "laquo": "«", "raquo": "»", "bull": "•", "middot": "·",
        "copy": "©", "reg": "®", "trade": "™", "deg": "°", "euro": "€", "pound": "£", "sect": "§",
        "times": "×", "auml": "ä", "ouml": "ö", "uuml": "ü", "Auml": "Ä", "Ouml": "Ö",
        "Uuml": "Ü", "szlig": "ß", "agrave": "à", "aacute": "á", "acirc": "â", "ccedil": "ç",
        "egrave": "è", "eacute": "é", "ecirc": "ê", "iacute": "í", "ntilde": "ñ", "oacute": "ó",
        "uacute": "ú",
    ]
}
