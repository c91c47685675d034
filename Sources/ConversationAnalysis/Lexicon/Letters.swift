/// One letter as rules compare it: without case, and with its marks apart from it, so that a text
/// reads the same composed or decomposed.
///
/// 32 bits: the base letter or digit in ASCII, what makes another letter of it (â, ă, ơ, đ), its
/// tone; and what it does in a syllable, three bits for each part that it may follow.
struct Letter {
    let bits: UInt32

    var base: UInt32 { bits & 0x7F }
    /// The letter without its tone. Tones belong to the word: "hoà" and "hòa" are one.
    var withoutTone: UInt32 { bits & 0x7FF }
    var tone: UInt32 { bits >> 11 & 0x1F }

    private static let circumflex: UInt32 = 1 << 7
    private static let breve: UInt32 = 1 << 8
    private static let horn: UInt32 = 1 << 9
    private static let stroke: UInt32 = 1 << 10
    private static let tones: [UInt32] = (11...15).map { 1 << $0 }

    /// What a combining mark adds to the letter before it: grave, acute, hook, tilde, dot below,
    /// and the three that make another letter. 0 for other marks.
    private static let marks: [UInt32: UInt32] = [
        0x300: tones[0], 0x301: tones[1], 0x309: tones[2], 0x303: tones[3], 0x323: tones[4],
        0x302: circumflex, 0x306: breve, 0x31B: horn,
    ]

    /// The letters of Vietnamese, each with its five tones in the order of `tones`.
    private static let vowels: [(base: String, quality: UInt32, all: String)] = [
        ("a", 0, "aàáảãạ"), ("a", breve, "ăằắẳẵặ"), ("a", circumflex, "âầấẩẫậ"),
        ("e", 0, "eèéẻẽẹ"), ("e", circumflex, "êềếểễệ"), ("i", 0, "iìíỉĩị"),
        ("o", 0, "oòóỏõọ"), ("o", circumflex, "ôồốổỗộ"), ("o", horn, "ơờớởỡợ"),
        ("u", 0, "uùúủũụ"), ("u", horn, "ưừứửữự"), ("y", 0, "yỳýỷỹỵ"),
    ]

    /// Indexed by scalar; 0 for what is neither a letter nor a mark of ours.
    static let table: [UInt32] = {
        var table = [UInt32](repeating: 0, count: 0x1F00)
        for digit in 0x30...0x39 { table[digit] = UInt32(digit) | Syllable.afterOther }
        for letter in 0x61...0x7A {
            table[letter] = UInt32(letter) | Syllable.after(Unicode.Scalar(UInt8(letter)))
            table[letter - 0x20] = table[letter]
        }
        for (base, quality, all) in vowels {
            let base = table[Int(base.utf8.first!)] | quality
            for (index, scalar) in all.unicodeScalars.enumerated() {
                let bits = index == 0 ? base : base | tones[index - 1]
                table[Int(scalar.value)] = bits
                // Locale does not come into it: this is Unicode's own mapping.
                let upper = scalar.properties.uppercaseMapping.unicodeScalars.first!
                table[Int(upper.value)] = bits
            }
        }
        for letter in [0x110, 0x111] { table[letter] = table[0x64] | stroke }
        for (mark, bits) in marks { table[Int(mark)] = bits }
        return table
    }()

    /// nil for all but letters, digits and the marks of Latin script that Vietnamese uses.
    ///
    /// - Parameter table: `Letter.table`, fetched once for a text.
    @inline(__always)
    init?(_ scalar: Unicode.Scalar, in table: [UInt32]) {
        guard scalar.value < table.count else { return nil }
        let bits = table[Int(scalar.value)]
        if bits == 0 { return nil }
        self.bits = bits
    }

    private init(bits: UInt32) { self.bits = bits }

    static let none = Letter(bits: 0)

    var isMark: Bool { base == 0 }
    var isDigit: Bool { bits & 0x40 == 0 }
    /// Whether English does without it.
    var isVietnamese: Bool { bits & 0xFF80 != 0 }
    func with(_ mark: Letter) -> Letter { Letter(bits: bits | mark.bits) }
}

/// How far a word is a syllable of Vietnamese: consonants, vowels, an ending. "nghieng" is one, but
/// not "tired" or "wish".
struct Syllable {
    private enum Part: UInt32 { case onset, vowels, coda, end, none }

    private var part = Part.onset.rawValue

    var isWhole: Bool { Part.vowels.rawValue...Part.end.rawValue ~= part }

    @inline(__always)
    mutating func add(_ letter: Letter) { part = letter.bits &>> (16 &+ part &* 3) & 7 }

    /// What a letter makes of each part, as the high bits of a `Letter`.
    fileprivate static func after(_ letter: Unicode.Scalar) -> UInt32 {
        switch letter {
        case "a", "e", "i", "o", "u", "y": bits(onset: .vowels, vowels: .vowels)
        case "c", "m", "n", "p", "t": bits(onset: .onset, vowels: .coda)
        // Also in "ch", "nh", "ng".
        case "g", "h": bits(onset: .onset, vowels: .end, coda: .end)
        case "f", "j", "w", "z": afterOther
        case _: bits(onset: .onset)
        }
    }

    fileprivate static let afterOther = bits()

    private static func bits(onset: Part = .none, vowels: Part = .none, coda: Part = .none)
        -> UInt32
    {
        [onset, vowels, coda, .none, .none].reversed().reduce(0) { $0 << 3 | $1.rawValue } << 16
    }
}
