/// What one item of a log says, as the rules read it: words, what the lexicon knows of them,
/// sentences.
struct Utterance: ~Copyable {
    /// A word, or several that the lexicon knows as one.
    struct Unit {
        var tags: Tags
        var words: Range<Int>
        /// Of its words, without marks.
        var hash: UInt64
        /// Whether a comma or the like goes before.
        var beginsClause: Bool
    }

    struct Sentence {
        var units: Range<Int>
        var isAsked: Bool
        var isExclaimed: Bool
    }

    private(set) var words: [Word] = []
    private(set) var units: [Unit] = []
    private(set) var sentences: [Sentence] = []
    /// What `tagUnits` reads: where a sentence ends, and how.
    private var ends: [(word: Int, isAsked: Bool, isExclaimed: Bool)] = []
    /// Words before which a clause begins.
    private var clauses: [Int] = []
    private var builder = WordBuilder()
    private var isVietnamese = false
    /// Whether it is Vietnamese without marks.
    private(set) var isPlain = false

    /// Words of one item that are read. Chosen: five minutes of talk without a breath.
    static let wordLimit = 512

    /// Reads another text in the place of the last; the storage stays.
    mutating func read(_ text: String, with lexicon: Lexicon.Pair) {
        words.removeAll(keepingCapacity: true)
        units.removeAll(keepingCapacity: true)
        sentences.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
        clauses.removeAll(keepingCapacity: true)
        isVietnamese = false
        split(text)
        isPlain = !isVietnamese && looksVietnameseWithoutMarks
        tag(with: isPlain ? lexicon.plain : lexicon.marked)
    }

    private mutating func split(_ text: String) {
        let table = Letter.table
        var quoteBegin: Int?
        for scalar in text.unicodeScalars {
            if let letter = Letter(scalar, in: table) {
                builder.add(letter)
                continue
            }
            switch scalar {
            case "'", "\u{2019}", "\u{2BC}", "\u{200B}"..."\u{200D}", "\u{300}"..."\u{36F}":
                continue
            case _: break
            }
            if Self.isForeignLetter(scalar) {
                builder.add(foreign: scalar)
                continue
            }
            finishWord()
            if words.count >= Self.wordLimit { break }
            switch scalar {
            case "?", "\u{FF1F}": end(isAsked: true)
            case "!", "\u{FF01}": end(isExclaimed: true)
            case ".", "\u{2026}", "\n", "\u{3002}": end()
            case ",", ";", ":", "\u{2013}", "\u{2014}", "(", ")": clauses.append(words.count)
            case "\"", "\u{201C}", "\u{201D}", "\u{201E}", "\u{AB}", "\u{BB}":
                if let begin = quoteBegin {
                    for index in begin..<words.count { words[index].isQuoted = true }
                    quoteBegin = nil
                } else {
                    quoteBegin = words.count
                }
            case _:
                if let word = Self.emoji(scalar) { words.append(word) }
            }
        }
        finishWord()
        end()
    }

    private mutating func finishWord() {
        if builder.isEmpty { return }
        isVietnamese = isVietnamese || builder.isVietnamese
        words.append(builder.finish())
    }

    private mutating func end(isAsked: Bool = false, isExclaimed: Bool = false) {
        if ends.last?.word ?? 0 == words.count {
            // "?!" and "!?" end one sentence.
            guard !ends.isEmpty else { return }
            ends[ends.count - 1].isAsked = ends[ends.count - 1].isAsked || isAsked
            ends[ends.count - 1].isExclaimed = ends[ends.count - 1].isExclaimed || isExclaimed
        } else {
            ends.append((words.count, isAsked, isExclaimed))
        }
    }

    /// Any letter of a script that no rule reads.
    private static func isForeignLetter(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0xAA, 0xAB...0xB9, 0xBB...0xBF, 0xD7, 0xF7, 0x2000...0x2BFF, 0x3000...0x303F,
            0xFE00...0xFE0F, 0xFF00...0xFF0F, 0x1F000...0x1FAFF, 0xE0000...:
            false
        case _: true
        }
    }

    /// A picture is a word of its own.
    private static func emoji(_ scalar: Unicode.Scalar) -> Word? {
        guard 0x2600...0x27BF ~= scalar.value || 0x1F300...0x1FAFF ~= scalar.value else {
            return nil
        }
        let hash = Word.combine(Word.start, UInt64(scalar.value))
        return Word(marked: hash, plain: hash)
    }

    /// Words with marks say what they are. Without any, it may be Vietnamese typed in haste, and
    /// then its words are looked up without marks; but not in English, where "to" is not "tớ".
    private var looksVietnameseWithoutMarks: Bool {
        let languages = Lexicon.Pair.languages.plain
        var balance = 0
        for word in words {
            let tags = languages.tags(of: word)
            if tags.contains(.vietnamese) { balance += 1 }
            if tags.contains(.english) { balance -= 1 }
        }
        return balance > 0
    }

    private mutating func tag(with lexicon: Lexicon) {
        var (word, clause) = (0, 0)
        for end in ends {
            let first = units.count
            while word < end.word {
                let (length, tags) = lexicon.longestMatch(in: words, from: word, to: end.word)
                var beginsClause = false
                while clause < clauses.count, clauses[clause] <= word {
                    beginsClause = beginsClause || clauses[clause] == word
                    clause += 1
                }
                if !words[word].isQuoted {
                    let range = word..<word + length
                    let hash = words[range].reduce(Word.start) { Word.combine($0, $1.plain) }
                    units.append(
                        Unit(tags: tags, words: range, hash: hash, beginsClause: beginsClause)
                    )
                }
                word += length
            }
            if first < units.count {
                // The mark of a quotation at the end is the quotation's.
                let isOwn = !words[end.word - 1].isQuoted
                sentences.append(
                    Sentence(
                        units: first..<units.count,
                        isAsked: end.isAsked && isOwn,
                        isExclaimed: end.isExclaimed && isOwn
                    )
                )
            }
        }
    }
}
