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
    static let factor: UInt64 = 0x9E37_79B9_7F4A_7C15

    @inline(__always)
    static func combine(_ hash: UInt64, _ value: UInt64) -> UInt64 {
        let mixed = (hash ^ value) &* factor
        return mixed ^ (mixed >> 29)
    }
}

/// Collects the letters of a word and hands it out at its end.
struct WordBuilder: ~Copyable {
    /// The first `count` of them are the word's. Chosen: no word of ours is longer.
    private var letters = InlineArray<32, Letter>(repeating: .none)
    private var count = 0
    /// Letters past those, and those of other scripts: told apart, known to no lexicon.
    private var rest: UInt64 = 0
    /// Of all letters, also of marks without one.
    private var seen = Letter.none

    /// Whether an apostrophe stands in it.
    private var isContracted = false

    /// What an apostrophe makes another word of: "we're" is not "were".
    private static let contractions: [UInt32] = ["were", "well", "ill", "its"].map {
        $0.utf8.reduce(0) { $0 << 8 | UInt32($1) }
    }

    var isEmpty: Bool { count == 0 && rest == 0 }
    var isVietnamese: Bool { seen.isVietnamese }

    @inline(__always)
    mutating func add(_ letter: Letter) {
        seen = seen.with(letter)
        if letter.isMark {
            if count > 0, rest == 0 { letters[count - 1] = letters[count - 1].with(letter) }
        } else if count < letters.count {
            letters[count] = letter
            count += 1
        } else {
            rest = Word.combine(rest, UInt64(letter.base))
        }
    }

    mutating func contract() { isContracted = count > 0 }

    @inline(never)
    private mutating func isAnotherWord() -> Bool {
        var text: UInt32 = 0
        for index in 0..<min(count, 4) { text = text << 8 | letters[index].base }
        return count < 5 && Self.contractions.contains(text)
    }

    mutating func add(foreign scalar: Unicode.Scalar) {
        rest = Word.combine(rest, UInt64(scalar.value)) | 1
    }

    mutating func finish() -> Word {
        defer { (count, rest, seen, isContracted) = (0, 0, .none, false) }
        if isContracted, isAnotherWord() { rest = 0x27 }
        if alternates { count = 6 }
        var (marked, plain) = (Word.start, Word.start)
        var any = Letter.none
        var syllable = Syllable()
        // A bit for each letter that is the one before.
        var (same, last): (UInt32, UInt32) = (0, 0)
        for index in 0..<count {
            let letter = letters[index]
            marked = marked &* Word.factor &+ UInt64(letter.withoutTone)
            plain = plain &* Word.factor &+ UInt64(letter.base)
            any = any.with(letter)
            same = same << 1 | (letter.base == last ? 1 : 0)
            last = letter.base
            syllable.add(letter)
        }
        // "sooooo" is "so": three of a letter or more are one. Then its pairs are one as well, and
        // the lexicon knows "cool" as "col", too.
        if same & same >> 1 != 0 {
            squeeze()
            return finish()
        }
        return Word(
            marked: Word.combine(marked, UInt64(any.tone) << 56 &+ rest),
            plain: Word.combine(plain, rest),
            kind: rest == 0 && any.isDigit ? .number : kind,
            isSyllable: rest == 0 && syllable.isWhole
        )
    }

    /// "hahahaha" is "hahaha".
    @inline(__always)
    private var alternates: Bool {
        guard count > 6 else { return false }
        for index in 2..<count where letters[index].bits != letters[index - 2].bits { return false }
        return true
    }

    @inline(__always)
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
