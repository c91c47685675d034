/// A word as hashes: of what was written, and of the same without any mark.
///
/// The hashes are the same in every process, for the lexicon is made of them. Words that collide
/// only change the reading of the conversation of the user who wrote them.
struct Word: Equatable {
    /// Letters with their marks, tone last.
    var marked: UInt64
    /// Base letters alone: what is typed without diacritics has nothing else.
    var plain: UInt64
    var isNumber = false
    /// Quoted: another speaker's word, whatever it says.
    var isQuoted = false

    static let start: UInt64 = 0xCBF2_9CE4_8422_2325

    @inline(__always)
    static func combine(_ hash: UInt64, _ value: UInt64) -> UInt64 {
        let mixed = (hash ^ value) &* 0x9E37_79B9_7F4A_7C15
        return mixed ^ (mixed >> 29)
    }
}

/// Collects the letters of a word and hands it out at its end.
struct WordBuilder {
    /// The first `count` of them are the word's.
    private var letters = [Letter](repeating: .none, count: limit)
    private var count = 0
    /// Letters past `limit`, and those of other scripts: told apart, known to no lexicon.
    private var rest: UInt64 = 0
    private(set) var isVietnamese = false

    /// Letters of the longest word that is looked at closely. Chosen: no word of ours is longer.
    private static let limit = 32

    var isEmpty: Bool { count == 0 && rest == 0 }

    @inline(__always)
    mutating func add(_ letter: Letter) {
        isVietnamese = isVietnamese || letter.isVietnamese
        if letter.isMark {
            if count > 0, rest == 0 { letters[count - 1] = letters[count - 1].with(letter) }
        } else if count < Self.limit {
            letters[count] = letter
            count += 1
        } else {
            rest = Word.combine(rest, UInt64(letter.base))
        }
    }

    mutating func add(foreign scalar: Unicode.Scalar) {
        rest = Word.combine(rest, UInt64(scalar.value)) | 1
    }

    mutating func finish() -> Word {
        shortenRuns()
        shortenLaughter()
        var word = Word(marked: Word.start, plain: Word.start, isNumber: rest == 0)
        var tone: UInt16 = 0
        for index in 0..<count {
            let letter = letters[index]
            word.marked = Word.combine(word.marked, UInt64(letter.withoutTone))
            word.plain = Word.combine(word.plain, UInt64(letter.base))
            tone |= letter.tone
            if !letter.isDigit { word.isNumber = false }
        }
        word.marked = Word.combine(word.marked, UInt64(tone) &+ rest)
        word.plain = Word.combine(word.plain, rest)
        (count, rest, isVietnamese) = (0, 0, false)
        return word
    }

    /// "sooooo" is "so": three of a letter or more are one. Then its pairs are one as well, and the
    /// lexicon knows "cool" as "col", too.
    private mutating func shortenRuns() {
        guard count > 2 else { return }
        for index in 2..<count
        where letters[index].base == letters[index - 1].base
            && letters[index].base == letters[index - 2].base
        {
            return squeeze()
        }
    }

    /// Makes one of every run of a letter.
    mutating func squeeze() {
        var kept = 0
        for index in 0..<count {
            if kept > 0, letters[index].base == letters[kept - 1].base {
                letters[kept - 1] = letters[kept - 1].with(letters[index])
            } else {
                letters[kept] = letters[index]
                kept += 1
            }
        }
        count = kept
    }

    /// "hahahaha" is "haha".
    private mutating func shortenLaughter() {
        guard count > 4 else { return }
        for index in 2..<count where letters[index].bits != letters[index - 2].bits { return }
        count = 4
    }
}
