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
        /// Of any of its units.
        var tags: Tags
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
    /// Whether a clause begins before the next word.
    private var beginsClause = false
    private(set) var isVietnamese = false
    /// Whether it is Vietnamese without marks.
    private(set) var isPlain = false

    /// Words of one item that are read. Chosen: five minutes of talk without a breath.
    static let wordLimit = 512

    init() {
        // Of most items; else the arrays grow step by step in each conversation.
        words.reserveCapacity(32)
        units.reserveCapacity(24)
        sentences.reserveCapacity(8)
    }

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
        isVietnamese = false
        beginsClause = false
        let bytes = text.utf8Span.span
        form = Self.form(of: bytes)
        split(bytes)
        isPlain = !isVietnamese && looksVietnamese(isExpected: isExpected)
        tag(with: isPlain ? lexicon.plain : lexicon.marked)
    }

    @inline(__always)
    private mutating func split(_ text: Span<UInt8>) {
        let table = Letter.table
        var builder = WordBuilder()
        var quoteBegin: Int?
        var isGreek = false
        var index = 0
        while index < text.count {
            let scalar = Unicode.Scalar(in: text, at: &index)
            if let letter = Letter(scalar, in: table) {
                builder.add(letter)
                continue
            }
            if scalar == " " {
                finishWord(&builder)
                if words.count >= Self.wordLimit { break }
                continue
            }
            switch scalar {
            case "'", "\u{2019}", "\u{2BC}":
                builder.contract()
                continue
            case "\u{200B}"..."\u{200D}", "\u{300}"..."\u{36F}": continue
            case _: break
            }
            if scalar.value >= 0xAA, Self.isForeignLetter(scalar) {
                builder.add(foreign: scalar)
                isGreek = 0x370...0x3FF ~= scalar.value || 0x1F00...0x1FFF ~= scalar.value
                continue
            }
            finishWord(&builder)
            if words.count >= Self.wordLimit { break }
            switch scalar {
            case "?", "\u{37E}", "\u{55E}", "\u{61F}", "\u{1367}", "\u{2047}", "\u{2048}",
                "\u{2049}", "\u{FE56}", "\u{FF1F}":
                end(isAsked: true)
            case ";" where isGreek: end(isAsked: true)
            case "!", "\u{FF01}": end(isExclaimed: true)
            case ".", "\u{2026}", "\n", "\u{3002}", "\u{964}": end()
            case ",", ";", ":", "\u{2013}", "\u{2014}", "(", ")", "\u{FF0C}", "\u{60C}":
                beginsClause = true
            case "\"", "\u{201C}", "\u{201D}", "\u{201E}", "\u{AB}", "\u{BB}":
                if let begin = quoteBegin {
                    for index in begin..<words.count { words[index].isQuoted = true }
                    quoteBegin = nil
                } else {
                    quoteBegin = words.count
                }
            case _:
                if let word = Self.emoji(scalar) { append(word) }
            }
        }
        finishWord(&builder)
        end()
    }

    private static func form(of text: Span<UInt8>) -> Form {
        var (begin, end) = (0, text.count)
        while begin < end, text[begin] <= 0x20 { begin += 1 }
        while begin < end, text[end - 1] <= 0x20 { end -= 1 }
        if begin == end { return .sign }
        switch (text[begin], text[end - 1]) {
        case (UInt8(ascii: "["), UInt8(ascii: "]")), (UInt8(ascii: "*"), UInt8(ascii: "*")):
            return .sign
        case (_, UInt8(ascii: ">")):
            for place in max(begin, end - 32)..<end where text[place] == UInt8(ascii: "<") {
                return .sound
            }
        case _: break
        }
        for place in max(begin, end - 5)..<end where text[place] == UInt8(ascii: ".") {
            var name: UInt32 = 0
            for letter in place + 1..<end { name = name << 8 | UInt32(text[letter] | 0x20) }
            if soundFiles.contains(name) { return .sound }
        }
        return .talk
    }

    /// What follows the dot, a letter a byte.
    private static let soundFiles: [UInt32] = [
        "mp3", "wav", "ogg", "oga", "m4a", "aac", "flac", "opus", "webm", "mp4", "wma",
    ].map { $0.utf8.reduce(0) { $0 << 8 | UInt32($1) } }

    private mutating func finishWord(_ builder: inout WordBuilder) {
        if builder.isEmpty { return }
        isVietnamese = isVietnamese || builder.isVietnamese
        append(builder.finish())
    }

    private mutating func append(_ word: Word) {
        var word = word
        word.beginsClause = beginsClause
        words.append(word)
        beginsClause = false
    }

    /// "?!" and "!?" end one sentence.
    private mutating func end(isAsked: Bool = false, isExclaimed: Bool = false) {
        let last = words.count - 1
        if last < 0 { return }
        words[last].endsSentence = true
        if isAsked { words[last].isAsked = true }
        if isExclaimed { words[last].isExclaimed = true }
    }

    /// Any letter of a script that no rule reads. Rare, and inlined it would slow down `split`.
    @inline(never)
    private static func isForeignLetter(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        // Punctuation, pictures, Chinese and Korean, without a search in Unicode's tables.
        case 0x2000...0x206F, 0x1F300...0x1FAFF: return false
        case 0x4E00...0x9FFF, 0xAC00...0xD7A3: return true
        case _: break
        }
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
            guard word.isSyllable else {
                balance -= 1
                continue
            }
            let tags = languages.tags(of: word)
            if tags.contains(.vietnamese) { balance += 1 }
            if tags.contains(.english) { balance -= 1 }
            if isExpected, tags.isEmpty { balance += 1 }
        }
        return balance > 0
    }

    private mutating func tag(with lexicon: Lexicon) {
        var (word, end) = (0, 0)
        while end < words.count {
            while !words[end].endsSentence { end += 1 }
            let last = end
            end += 1
            let first = units.count
            var all: Tags = []
            while word < end {
                let (length, tags) = lexicon.longestMatch(in: words, from: word, to: end)
                let hash = hash(of: word..<word + length)
                // "He he listens".
                let isStammer =
                    units.count > first && units[units.count - 1].hash == hash
                    && !words[word].beginsClause
                if isStammer {
                    units[units.count - 1].words =
                        units[units.count - 1].words.lowerBound..<word + length
                } else if !words[word].isQuoted {
                    all.formUnion(tags)
                    units.append(
                        Unit(
                            tags: tags,
                            words: word..<word + length,
                            hash: hash,
                            beginsClause: words[word].beginsClause
                        )
                    )
                }
                word += length
            }
            if first < units.count {
                // The mark of a quotation at the end is the quotation's.
                let isOwn = !words[last].isQuoted
                sentences.append(
                    Sentence(
                        units: first..<units.count,
                        tags: all,
                        isAsked: words[last].isAsked && isOwn,
                        isExclaimed: words[last].isExclaimed && isOwn
                    )
                )
            }
        }
    }

    /// Of words side by side, without marks.
    @inline(__always)
    func hash(of range: Range<Int>) -> UInt64 {
        var hash = words[range.lowerBound].plain
        // Without the factor, "hu hu" would be any word twice.
        for index in range.dropFirst() { hash = Word.combine(hash &* 31, words[index].plain) }
        return hash
    }
}

extension Unicode.Scalar {
    /// The scalar that begins at a place of a valid text; goes on to the next.
    @inline(__always)
    fileprivate init(in text: Span<UInt8>, at index: inout Int) {
        let first = text[index]
        index += 1
        if first < 0x80 {
            self.init(first)
            return
        }
        let length = (~first).leadingZeroBitCount
        var value = UInt32(first) & 0x7F >> UInt32(length)
        for _ in 1..<length where index < text.count {
            value = value << 6 | UInt32(text[index] & 0x3F)
            index += 1
        }
        self = Unicode.Scalar(value) ?? "\u{FFFD}"
    }
}
