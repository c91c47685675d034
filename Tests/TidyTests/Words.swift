/// Words that stand for a component as if it were a person, figures of speech, and old words.
/// Names, comments and messages are read by tired people, often in a foreign language.
enum Words {
    private static let banned: Set<Substring> = [
        "somebody", "nobody", "whoever", "anybody", "anyone", "everybody", "whomever",
        "desk", "desks", "office", "offices", "farewell",
        "neighbour", "neighbours", "news", "dear",
        "heal", "heals", "healed", "thrice", "shall", "befall", "befalls", "letter", "letters",
    ]

    /// What a line may hold all the same: strings that others depend on.
    private static let kept = [
        // Metadata of log events, and a member of the HTTP API's answers.
        "\"letter\"", "\"letters\"",
        // That member, as the page's script reads it.
        ".letters",
        // A header of dead letters.
        "amity-letter-id",
        // Told to the chat model: with another word it may judge otherwise.
        "\"somebody else\"",
        // Of CSS and of libcurl.
        "letter-spacing", "CURLOPT_NOBODY",
    ]

    /// - Parameter lettersAreText: whether letters are those of an alphabet there.
    /// - Returns: those in a line of code or prose, names in camel case taken apart. Dead letters
    ///   are the field's own word, and `isLetter` is Swift's.
    static func banned(in line: Substring, lettersAreText: Bool) -> [Substring] {
        var found: [Substring] = []
        var last: Substring = ""
        let rest = kept.reduce(String(line)) { $0.replacing($1, with: " ") }
        for word in parts(of: rest[...]) {
            let lower = word.lowercased()[...]
            let isOurs =
                lower.hasPrefix("letter") && (lettersAreText || last == "dead" || last == "is")
            if banned.contains(lower), !isOurs { found.append(word) }
            last = lower
        }
        return found
    }

    /// Runs of ASCII letters, taken apart before a capital that follows a small letter.
    private static func parts(of line: Substring) -> [Substring] {
        let text = line.utf8
        var words: [Substring] = []
        var start: Substring.Index?
        var wasSmall = false
        for index in text.indices {
            let byte = text[index]
            let isSmall = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
            let isCapital = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            if let begin = start, !(isSmall || isCapital) || isCapital && wasSmall {
                words.append(line[begin..<index])
                start = nil
            }
            if isSmall || isCapital, start == nil { start = index }
            wasSmall = isSmall
        }
        if let start { words.append(line[start...]) }
        return words
    }
}
