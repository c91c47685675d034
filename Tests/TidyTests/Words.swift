/// Words that stand for a component as if it were a person, figures of speech, and old words.
/// Names, comments and messages are read by tired people, often in a foreign language.
enum Words {
    private static let banned: Set<Substring> = [
        "somebody", "nobody", "whoever", "anybody", "anyone", "everybody", "whomever",
        "desk", "desks", "office", "offices", "farewell", "neighbour", "neighbours", "news", "dear",
        "heal", "heals", "healed", "thrice", "shall", "befall", "befalls", "letter", "letters",
    ]

    /// - Returns: those in a line of code or prose, names in camel case taken apart. Dead letters
    ///   are the field's own word, and `isLetter` is Swift's.
    static func banned(in line: Substring) -> [Substring] {
        var found: [Substring] = []
        var last: Substring = ""
        for word in parts(of: line) {
            let lower = word.lowercased()[...]
            let isOurs = lower.hasPrefix("letter") && (last == "dead" || last == "is")
            if banned.contains(lower), !isOurs { found.append(word) }
            last = lower
        }
        return found
    }

    private static func parts(of line: Substring) -> [Substring] {
        var words: [Substring] = []
        var start: Substring.Index?
        var wasLower = false
        for index in line.indices {
            let character = line[index]
            let isLetter = character.isASCII && character.isLetter
            if let begin = start, !isLetter || character.isUppercase && wasLower {
                words.append(line[begin..<index])
                start = nil
            }
            if isLetter, start == nil { start = index }
            wasLower = character.isLowercase
        }
        if let start { words.append(line[start...]) }
        return words
    }
}
