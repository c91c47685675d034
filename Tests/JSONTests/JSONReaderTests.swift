import JSON
import Testing

/// Whether the reader takes the bytes for one JSON text.
private func isJSON(_ bytes: [UInt8]) -> Bool {
    do throws(JSONReader.Malformed) {
        try JSONReader.read(bytes) { json throws(JSONReader.Malformed) in try json.skip() }
        return true
    } catch {
        return false
    }
}

private func isJSON(_ text: String) -> Bool { isJSON(Array(text.utf8)) }

/// A string with its escapes undone; nil when it is no text.
private func text(_ json: String) throws -> String? {
    try JSONReader.read(json.utf8) { json throws(JSONReader.Malformed) in try json.readText().string
    }
}

struct GrammarTests {
    @Test(arguments: [
        "{}", "[]", " [ ] ", "null", "true", "false", "0", "-0", "10", "-1.50e+10", "1E-2", "1e5",
        #""""#, #"{"":{"a":[1,{"b":null}],"c":""}}"#, "\r\n\t [1 , 2]\n", "\u{FEFF}[]",
        #"["\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00"]"#, #""\ud800""#, "\"\u{7F}é…😀\"",
        "[\(String(repeating: "9", count: 400)), 1e999]",
    ])
    func takesJSON(text: String) {
        #expect(isJSON(text))
    }

    @Test(arguments: [
        "", " ", "[", "]", "{", "}", "[}", "{]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1:2]",
        "[]]",
        "{,}", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, #"{"a",1}"#, #"{a:1}"#, "{1:2}",
        #"{"a":1 "b":2}"#,
        "nul", "nulll", "truex", "fals", "True", "NaN", "01", "-", "-01", "+1", ".5", "1.", "1.e5",
        "1e", "1e+", "0x1", "1-", "1.2.3", "--1", "'a'", "/**/1", "[] []", "\u{FEFF}\u{FEFF}[]",
        "\u{A0}[]", "[]\0", "\u{C}[]",
    ])
    func refusesWhatIsNoJSON(text: String) {
        #expect(!isJSON(text))
    }

    @Test(arguments: [
        "\"", #""a"#, #""\"#, #""\""#, #""\q""#, #""\u12""#, #""\u12g4""#, #""\u123"#,
        #""\U0041""#,
        "\"a\nb\"", "\"\u{1}\"", "\"a\0b\"", "\"\u{1F}aaaaaaaaaaaaaaa\"",
        "\"aaaaaaaaaaaaaaaa\u{1F}\"",
    ])
    func refusesWhatIsNoString(text: String) {
        #expect(!isJSON(text))
    }

    /// Fault: bytes that are no UTF-8 would reach a String, the database or a header.
    @Test(arguments: [
        [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC3], [0xC3, 0x28], [0xE0, 0x9F, 0xBF],
        [0xE2, 0x82], [0xED, 0xA0, 0x80], [0xF0, 0x8F, 0xBF, 0xBF], [0xF0, 0x9F, 0x98],
        [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFF], [0xE2, 0x82, 0x22],
    ])
    func refusesStringsThatAreNotUTF8(bytes: [UInt8]) {
        for before in 0..<9 {
            let text = Array(String(repeating: "a", count: before).utf8) + bytes
            #expect(!isJSON([0x22] + text + [0x22]))
            #expect(!isJSON([0x22] + text))
        }
    }

    @Test func takesEveryCharacterThereIs() {
        let limits: [UInt32] = [
            0x20, 0x7F, 0x80, 0x7FF, 0x800, 0xFFF, 0x1000, 0xCFFF, 0xD7FF, 0xE000, 0xFFFF, 0x10000,
            0x3FFFF, 0x40000, 0xFFFFF, 0x100000, 0x10FFFF,
        ]
        for character in limits.compactMap(Unicode.Scalar.init) {
            #expect(isJSON("\"\(character)\""), "U+\(String(character.value, radix: 16))")
        }
    }

    @Test func refusesUTF16() {
        #expect(!isJSON("[]".utf16.flatMap { [UInt8($0 & 0xFF), 0] }))
        #expect(!isJSON([0xFF, 0xFE] + "[]".utf16.flatMap { [UInt8($0 & 0xFF), 0] }))
    }

    /// Fault: eight bytes are looked at together, and one of them is overlooked.
    @Test func findsTheEndOfAStringAtEveryOffset() throws {
        for length in 0..<40 {
            let plain = String(repeating: "~", count: length)
            #expect(try text("\"\(plain)\"") == plain)
            for odd in ["\u{1}", "\u{1F}", "\"", "\\"] {
                for place in 0...length {
                    var broken = Array(plain.utf8)
                    broken.insert(contentsOf: odd.utf8, at: place)
                    #expect(!isJSON([0x22] + broken + [0x22]), "\(odd) at \(place) of \(length)")
                }
            }
        }
    }
}

struct DepthTests {
    private func nested(_ depth: Int, in pair: (String, String)) -> String {
        String(repeating: pair.0, count: depth) + "1" + String(repeating: pair.1, count: depth)
    }

    @Test(arguments: [("[", "]"), (#"{"a":"#, "}"), (#"[{"a":"#, "}]")])
    func aTextMayBe512LevelsDeep(pair: (String, String)) {
        let levels = pair.1.count
        #expect(isJSON(nested(512 / levels, in: pair)))
        #expect(!isJSON(nested(512 / levels + 1, in: pair)))
    }

    /// Fault: what is left behind of one level would be taken for the next one there.
    @Test func levelsDoNotMixUpArraysAndObjects() {
        #expect(isJSON(#"[[[]],{"a":{"b":[{}]}},[[{}]],{}]"#))
        #expect(!isJSON(#"[[[]],{"a":{"b":[{}}}]]"#))
        #expect(!isJSON(#"[{"a":1},["b":2]]"#))
        #expect(!isJSON(#"[[1],{2}]"#))
    }

    @Test func aMillionBracketsDoNotKill() {
        #expect(!isJSON(String(repeating: "[", count: 1_000_000)))
        #expect(!isJSON(String(repeating: #"{"":"#, count: 1_000_000)))
        #expect(isJSON("[\(String(repeating: "[],", count: 1_000_000))[]]"))
    }
}

struct TextTests {
    @Test(arguments: [
        (#""""#, ""), (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"),
        (#""\u0041\u00e9é""#, "Aéé"),
        (#""\uD83D\ude00!""#, "😀!"), (#""\ud800\udc00\uDBFF\uDFFF""#, "\u{10000}\u{10FFFF}"),
        (#""a\u0000b""#, "a\0b"), (#""\ufeff\uFFFF""#, "\u{FEFF}\u{FFFF}"),
        (#""\\u0041""#, "\\u0041"),
    ])
    func undoesEscapes(json: String, expected: String) throws {
        #expect(try text(json).map { Array($0.utf8) } == Array(expected.utf8))
    }

    @Test(arguments: [
        #""\ud800""#, #""\udc00""#, #""\ud83d\u0041""#, #""\ud83dx\ude00""#, #""\ud83d/ude00""#,
        #""\ude00\ud83d""#,
        #""\ud83d\ud83d\ude00""#, #""\ud83d\nde00""#,
    ])
    func halfASurrogatePairIsNoText(json: String) throws {
        #expect(try text(json) == nil)
    }

    @Test func keysAreComparedWithTheirEscapesUndone() throws {
        func key(_ json: String, equals name: StaticString) throws -> Bool {
            try JSONReader.read(json.utf8) { json throws(JSONReader.Malformed) in
                try json.readText().equals(name)
            }
        }
        #expect(try key(#""speak\u0065r""#, equals: "speaker"))
        #expect(try key(#""speaker""#, equals: "speaker"))
        #expect(try !key(#""speake""#, equals: "speaker"))
        #expect(try !key(#""speaker\u0000""#, equals: "speaker"))
        #expect(throws: JSONReader.Malformed.self) { try key(#""\udfff""#, equals: "speaker") }
    }
}
