// What makes foreign text safe to show to people and to hand to a shell. Pure functions, no
// imports.

extension Unicode.Scalar {
    /// Whether a terminal or a browser acts on it instead of showing it: control characters (ESC,
    /// BEL, C1, DEL), format characters (bidirectional overrides, zero-width), line and paragraph
    /// separators.
    fileprivate var isInvisible: Bool {
        // Fast path: printable ASCII.
        if (0x20..<0x7F).contains(value) { return false }
        return switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        case _: false
        }
    }
}

extension String {
    /// This text on one line, with each character that a terminal would act on replaced by its
    /// number, e.g. `\u{1B}`. For everything that is written for people: logs, tables, error texts.
    package var printable: String {
        if isPrintable { return self }
        var shown = ""
        for scalar in unicodeScalars {
            if scalar.isInvisible {
                shown += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
            } else {
                shown.unicodeScalars.append(scalar)
            }
        }
        return shown
    }

    package var isPrintable: Bool { !unicodeScalars.contains(where: \.isInvisible) }

    /// This JSON text with the same characters as JSON escapes: it means the same. An encoder
    /// escapes only the controls below U+0020.
    package var printableJSON: String {
        if isPrintable { return self }
        var shown = ""
        for scalar in unicodeScalars {
            // Between the values of an indented JSON text.
            if !scalar.isInvisible || scalar == "\n" || scalar == "\t" {
                shown.unicodeScalars.append(scalar)
                continue
            }
            for unit in String(scalar).utf16 {
                let digits = String(unit, radix: 16)
                shown += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }
        }
        return shown
    }

    /// This text as one word of a POSIX shell's command line. Text that is not printable gets the
    /// form that bash and zsh read, `$'…'`, so that the command can be copied from a terminal.
    package var shellWord: String {
        if !isPrintable { return dollarQuoted }
        let isPlain = { (byte: UInt8) in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            case _: "_-.,:/@%+=".utf8.contains(byte)
            }
        }
        if !isEmpty, utf8.allSatisfy(isPlain) { return self }
        let parts = split(separator: "'", omittingEmptySubsequences: false)
        return "'" + parts.joined(separator: "'\\''") + "'"
    }

    private var dollarQuoted: String {
        var word = "$'"
        for scalar in unicodeScalars {
            switch scalar {
            case "'", "\\": word += "\\\(scalar)"
            case _ where scalar.isInvisible:
                for byte in String(scalar).utf8 {
                    word += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
                }
                // The hexadecimal digits end here, whatever follows.
                word += "'$'"
            case _: word.unicodeScalars.append(scalar)
            }
        }
        return word + "'"
    }
}
