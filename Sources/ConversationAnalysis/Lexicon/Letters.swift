/// One letter as rules compare it: without case, and with its marks apart from it, so that a text
/// reads the same composed or decomposed.
///
/// 16 bits: the base letter or digit in ASCII, what makes another letter of it (â, ă, ơ, đ), its
/// tone.
struct Letter {
    let bits: UInt16

    var base: UInt16 { bits & 0x7F }
    /// The letter without its tone. Tones belong to the word: "hoà" and "hòa" are one.
    var withoutTone: UInt16 { bits & 0x7FF }
    var tone: UInt16 { bits >> 11 }

    private static let circumflex: UInt16 = 1 << 7
    private static let breve: UInt16 = 1 << 8
    private static let horn: UInt16 = 1 << 9
    private static let stroke: UInt16 = 1 << 10
    private static let tones: [UInt16] = (11...15).map { 1 << $0 }

    /// What a combining mark adds to the letter before it: grave, acute, hook, tilde, dot below,
    /// and the three that make another letter. 0 for other marks.
    private static let marks: [UInt32: UInt16] = [
        0x300: tones[0], 0x301: tones[1], 0x309: tones[2], 0x303: tones[3], 0x323: tones[4],
        0x302: circumflex, 0x306: breve, 0x31B: horn,
    ]

    /// The letters of Vietnamese, each with its five tones in the order of `tones`.
    private static let vowels: [(base: String, quality: UInt16, all: String)] = [
        ("a", 0, "aàáảãạ"), ("a", breve, "ăằắẳẵặ"), ("a", circumflex, "âầấẩẫậ"),
        ("e", 0, "eèéẻẽẹ"), ("e", circumflex, "êềếểễệ"), ("i", 0, "iìíỉĩị"),
        ("o", 0, "oòóỏõọ"), ("o", circumflex, "ôồốổỗộ"), ("o", horn, "ơờớởỡợ"),
        ("u", 0, "uùúủũụ"), ("u", horn, "ưừứửữự"), ("y", 0, "yỳýỷỹỵ"),
    ]

    /// Indexed by scalar; 0 for what is neither a letter nor a mark of ours.
    static let table: [UInt16] = {
        var table = [UInt16](repeating: 0, count: 0x1F00)
        for digit in 0x30...0x39 { table[digit] = UInt16(digit) }
        for letter in 0x61...0x7A {
            table[letter] = UInt16(letter)
            table[letter - 0x20] = UInt16(letter)
        }
        for (base, quality, all) in vowels {
            let base = UInt16(base.utf8.first!) | quality
            for (index, scalar) in all.unicodeScalars.enumerated() {
                let bits = index == 0 ? base : base | tones[index - 1]
                table[Int(scalar.value)] = bits
                // Locale does not come into it: this is Unicode's own mapping.
                let upper = scalar.properties.uppercaseMapping.unicodeScalars.first!
                table[Int(upper.value)] = bits
            }
        }
        for letter in [0x110, 0x111] { table[letter] = UInt16(UInt8(ascii: "d")) | stroke }
        for (mark, bits) in marks { table[Int(mark)] = bits }
        return table
    }()

    /// nil for all but letters, digits and the marks of Latin script that Vietnamese uses.
    ///
    /// - Parameter table: `Letter.table`, fetched once for a text.
    @inline(__always)
    init?(_ scalar: Unicode.Scalar, in table: [UInt16]) {
        guard scalar.value < table.count else { return nil }
        let bits = table[Int(scalar.value)]
        if bits == 0 { return nil }
        self.bits = bits
    }

    private init(bits: UInt16) { self.bits = bits }

    static let none = Letter(bits: 0)

    var isMark: Bool { base == 0 }
    var isDigit: Bool { base <= 0x39 }
    /// Whether English does without it.
    var isVietnamese: Bool { bits > 0x7F }
    func with(_ mark: Letter) -> Letter { Letter(bits: bits | mark.bits) }
}
