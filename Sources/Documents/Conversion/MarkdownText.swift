/// Takes from Markdown the marks that are no text: those of headings, quotes, emphasis and code,
/// and where links lead.
enum MarkdownText {
    static func text(of source: String) -> String {
        var lines = source.split(omittingEmptySubsequences: false) { $0.isNewline }[...]
        // What stands before the text of a page, between two lines of hyphens.
        if lines.first == "---", let end = lines.dropFirst().firstIndex(of: "---") {
            lines = lines[(end + 1)...]
        }
        var isCode = false
        var text: [String] = []
        for line in lines {
            let rest = line.drop { $0 == " " }
            if rest.hasPrefix("```") || rest.hasPrefix("~~~") {
                isCode.toggle()
            } else {
                text.append(isCode ? String(line) : inline(block(rest)))
            }
        }
        return text.joined(separator: "\n")
    }

    /// Without what a line begins with.
    private static func block(_ line: Substring) -> Substring {
        var line = line
        while line.first == ">" { line = line.dropFirst().drop { $0 == " " } }
        let marks = line.prefix { $0 == "#" }
        if (1...6).contains(marks.count), line.dropFirst(marks.count).first == " " {
            return line.dropFirst(marks.count + 1)
        }
        return line
    }

    private static func inline(_ line: Substring) -> String {
        var text = ""
        var rest = line
        while let character = rest.first {
            if character == "\\", let next = rest.dropFirst().first, next.isPunctuation {
                text.append(next)
                rest = rest.dropFirst(2)
            } else if let link = link(rest) {
                text += inline(link.text)
                rest = link.rest
            } else if "*_`~".contains(character) {
                let run = rest.prefix { $0 == character }
                let next = rest.dropFirst(run.count).first
                if !isMark(character, run.count, between: text.last, and: next) { text += run }
                rest = rest.dropFirst(run.count)
            } else {
                text.append(character)
                rest = rest.dropFirst()
            }
        }
        return text
    }

    /// `[text](where)`, with `!` before it for an image.
    private static func link(_ rest: Substring) -> (text: Substring, rest: Substring)? {
        let begin = rest.first == "!" ? rest.dropFirst() : rest
        guard begin.first == "[", let end = begin.firstIndex(of: "]") else { return nil }
        let behind = begin[begin.index(after: end)...]
        guard behind.first == "(", let close = behind.firstIndex(of: ")") else { return nil }
        return (begin[..<end].dropFirst(), behind[behind.index(after: close)...])
    }

    /// Whether it stands at a word, and not for itself as in `2 * 3` and `snake_case`.
    private static func isMark(
        _ character: Character,
        _ count: Int,
        between before: Character?,
        and after: Character?
    ) -> Bool {
        if character == "`" { return true }
        if character == "~" { return count == 2 }
        let (isBehindWord, isBeforeWord) = (
            before.map { !$0.isWhitespace } ?? false, after.map { !$0.isWhitespace } ?? false
        )
        if character == "_", before?.isWordPart == true, after?.isWordPart == true { return false }
        return count <= 3 && (isBehindWord || isBeforeWord)
    }
}

extension Character {
    fileprivate var isWordPart: Bool { isLetter || isNumber }
}
