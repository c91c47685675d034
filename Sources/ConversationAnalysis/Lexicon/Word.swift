/// A word as hashes: of what was written, and of the same without any mark.
///
/// The hashes are the same in every process, for the lexicon is made of them. Words that collide
/// only change the reading of the conversation of the user who wrote them.
struct Word: Equatable {
    /// Letters with their marks, tone last.
    var marked: UInt64
    /// Base letters alone: what is typed without diacritics has nothing else.
    var plain: UInt64
    /// What its letters alone say: a number, or the ending of an English verb.
    var kind = Kind.other
    /// Quoted: another speaker's word, whatever it says.
    var isQuoted = false
    /// Could be Vietnamese without its marks: consonants, vowels, and one of its few endings.
    var isSyllable = false
    /// Whether a comma or the like goes before.
    var beginsClause = false
    /// Whether a sentence ends behind it, and how.
    var endsSentence = false
    var isAsked = false
    var isExclaimed = false

    enum Kind {
        case other, number, past, progressive

        var tags: Tags {
            switch self {
            case .other: []
            case .number: .number
            case .past: .event
            case .progressive: .progressive
            }
        }
    }

    static let start: UInt64 = 0xCBF2_9CE4_8422_2325

    @inline(__always)
    static func combine(_ hash: UInt64, _ value: UInt64) -> UInt64 {
        let mixed = (hash ^ value) &* 0x9E37_79B9_7F4A_7C15
        return mixed ^ (mixed >> 29)
    }
}

/// Collects the letters of a word and hands it out at its end.
struct WordBuilder {
    /// The first `count` of them are the word's. Chosen: no word of ours is longer.
    private var letters = InlineArray<32, Letter>(repeating: .none)
    private var count = 0
    /// Letters past those, and those of other scripts: told apart, known to no lexicon.
    private var rest: UInt64 = 0
    private(set) var isVietnamese = false

    var isEmpty: Bool { count == 0 && rest == 0 }

    @inline(__always)
    mutating func add(_ letter: Letter) {
        isVietnamese = isVietnamese || letter.isVietnamese
        if letter.isMark {
            if count > 0, rest == 0 { letters[count - 1] = letters[count - 1].with(letter) }
        } else if count < letters.count {
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
        defer { (count, rest, isVietnamese) = (0, 0, false) }
        while true {
            var word = Word(marked: Word.start, plain: Word.start)
            var tone: UInt16 = 0
            var isNumber = rest == 0
            var shape = SyllableShape()
            var (last, beforeLast) = (Letter.none, Letter.none)
            var (hasRun, alternates) = (false, count > 6)
            for index in 0..<count {
                let letter = letters[index]
                word.marked = Word.combine(word.marked, UInt64(letter.withoutTone))
                word.plain = Word.combine(word.plain, UInt64(letter.base))
                tone |= letter.tone
                isNumber = isNumber && letter.isDigit
                shape.add(letter)
                if letter.base == last.base && letter.base == beforeLast.base { hasRun = true }
                if alternates, index > 1, letter.bits != beforeLast.bits { alternates = false }
                (last, beforeLast) = (letter, last)
            }
            // "sooooo" is "so": three of a letter or more are one. Then its pairs are one as well,
            // and the lexicon knows "cool" as "col", too.
            if hasRun {
                squeeze()
                continue
            }
            // "hahahaha" is "hahaha".
            if alternates {
                count = 6
                continue
            }
            word.kind = isNumber ? .number : kind
            word.isSyllable = rest == 0 && shape.isWhole
            word.marked = Word.combine(word.marked, UInt64(tone) &+ rest)
            word.plain = Word.combine(word.plain, rest)
            return word
        }
    }

    private var kind: Word.Kind {
        guard count > 4, rest == 0 else { return .other }
        let last = (letters[count - 3].base, letters[count - 2].base, letters[count - 1].base)
        // "ed", "ing".
        if (last.1, last.2) == (0x65, 0x64) { return .past }
        return last == (0x69, 0x6E, 0x67) ? .progressive : .other
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
}

/// Follows a word letter by letter through consonants, vowels and an ending, as a syllable of
/// Vietnamese has them: "nghieng", but not "tired" or "wish".
private struct SyllableShape {
    private enum Part { case onset, vowels, coda, codaPair, none }

    private var part = Part.onset
    private var last: UInt32 = 0

    // A bit for each base letter from a to z.
    private static let onset: UInt32 = 0b00_1010_1111_1011_1100_1100_1110
    private static let vowels: UInt32 = 0b01_0001_0000_0100_0001_0001_0001
    private static let coda: UInt32 = 0b00_0000_1000_1011_0000_1100_0100
    /// Second letters of "ch", "nh", "ng".
    private static let pairs: UInt32 = 0b00_0000_0000_0000_0000_1100_0000

    var isWhole: Bool { part == .vowels || part == .coda || part == .codaPair }

    @inline(__always)
    mutating func add(_ letter: Letter) {
        let bit: UInt32 = letter.isDigit ? 0 : 1 &<< UInt32(letter.base &- 1)
        switch part {
        case .onset:
            part = bit & Self.vowels != 0 ? .vowels : bit & Self.onset != 0 ? .onset : .none
        case .vowels: part = bit & Self.vowels != 0 ? .vowels : bit & Self.coda != 0 ? .coda : .none
        case .coda: part = bit & Self.pairs != 0 && last & Self.pairs == 0 ? .codaPair : .none
        case .codaPair, .none: part = .none
        }
        last = bit
    }
}
