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

    /// What an item is, as far as its ends tell.
    enum Form {
        case talk
        /// The name of a sound file, or a text that ends with one; its words are not in the log.
        case sound
        /// A button, a stage direction.
        case sign
    }

    private(set) var form = Form.talk
    private(set) var words: [Word] = []
    private(set) var units: [Unit] = []
    private(set) var sentences: [Sentence] = []
    /// What `tagUnits` reads: where a sentence ends, and how.
    private var ends: [(word: Int, isAsked: Bool, isExclaimed: Bool)] = []
    /// Words before which a clause begins.
    private var clauses: [Int] = []
    private var builder = WordBuilder()
    private(set) var isVietnamese = false
    /// Whether it is Vietnamese without marks.
    private(set) var isPlain = false

    /// Words of one item that are read. Chosen: five minutes of talk without a breath.
    static let wordLimit = 512

    /// Reads another text in the place of the last; the storage stays.
    ///
    /// - Parameter isExpected: whether Vietnamese is.
    mutating func read(
        _ text: String,
        with lexicon: Lexicon.Pair,
        vietnamese isExpected: Bool = false
    ) {
        words.removeAll(keepingCapacity: true)
        units.removeAll(keepingCapacity: true)
        sentences.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
        clauses.removeAll(keepingCapacity: true)
        isVietnamese = false
        form = Self.form(of: text)
        split(text)
        isPlain = !isVietnamese && looksVietnamese(isExpected: isExpected)
        tag(with: isPlain ? lexicon.plain : lexicon.marked)
    }

    @inline(__always)
    private mutating func split(_ text: String) {
        let table = Letter.table
        var quoteBegin: Int?
        var isGreek = false
        for scalar in text.unicodeScalars {
            if let letter = Letter(scalar, in: table) {
                builder.add(letter)
                continue
            }
            if scalar == " " {
                finishWord()
                if words.count >= Self.wordLimit { break }
                continue
            }
            switch scalar {
            case "'", "\u{2019}", "\u{2BC}", "\u{200B}"..."\u{200D}", "\u{300}"..."\u{36F}":
                continue
            case _: break
            }
            if Self.isForeignLetter(scalar) {
                builder.add(foreign: scalar)
                isGreek = 0x370...0x3FF ~= scalar.value || 0x1F00...0x1FFF ~= scalar.value
                continue
            }
            finishWord()
            if words.count >= Self.wordLimit { break }
            switch scalar {
            case "?", "\u{37E}", "\u{55E}", "\u{61F}", "\u{1367}", "\u{2047}", "\u{2048}",
                "\u{2049}", "\u{FE56}", "\u{FF1F}":
                end(isAsked: true)
            case ";" where isGreek: end(isAsked: true)
            case "!", "\u{FF01}": end(isExclaimed: true)
            case ".", "\u{2026}", "\n", "\u{3002}", "\u{964}": end()
            case ",", ";", ":", "\u{2013}", "\u{2014}", "(", ")", "\u{FF0C}", "\u{60C}":
                if clauses.last != words.count { clauses.append(words.count) }
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

    private static func form(of text: String) -> Form {
        let text = text.utf8.drop { $0 <= 0x20 }
        guard let first = text.first, let end = text.lastIndex(where: { $0 > 0x20 }) else {
            return .sign
        }
        switch (first, text[end]) {
        case (UInt8(ascii: "["), UInt8(ascii: "]")), (UInt8(ascii: "*"), UInt8(ascii: "*")):
            return .sign
        case (_, UInt8(ascii: ">")) where text[...end].suffix(32).contains(UInt8(ascii: "<")):
            return .sound
        case _: break
        }
        let tail = text[...end].suffix(5)
        guard tail.contains(UInt8(ascii: ".")) else { return .talk }
        let name = tail.map { $0 | 0x20 }
        return soundFiles.contains { name.suffix($0.count) == $0[...] } ? .sound : .talk
    }

    private static let soundFiles = [
        ".mp3", ".wav", ".ogg", ".oga", ".m4a", ".aac", ".flac", ".opus", ".webm", ".mp4", ".wma",
    ].map { Array($0.utf8) }

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
        if scalar.value < 0xAA { return false }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
            .nonspacingMark, .spacingMark, .decimalNumber:
            return scalar.value < 0xFE00 || scalar.value > 0xFE0F
        case _: return false
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
    ///
    /// - Parameter isExpected: whether the robot speaks Vietnamese.
    private func looksVietnamese(isExpected: Bool) -> Bool {
        let languages = Lexicon.Pair.languages.plain
        var balance = 0
        for word in words {
            let tags = languages.tags(of: word)
            if tags.contains(.vietnamese) { balance += 1 }
            if tags.contains(.english) || !word.isSyllable { balance -= 1 }
            if isExpected, word.isSyllable, tags.isEmpty { balance += 1 }
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
