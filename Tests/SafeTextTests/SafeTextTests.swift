import Foundation
import Glibc
import SafeText
import Testing

struct SafeTextTests {
    /// What an id, a reason or a server's error text may hold, and what is shown of it.
    private static let strange: [(String, String)] = [
        ("a\u{1B}[31mb", "a\\u{1B}[31mb"), ("\u{7}", "\\u{7}"), ("\u{7F}", "\\u{7F}"),
        ("a\u{9B}31mb", "a\\u{9B}31mb"), ("a\u{202E}b", "a\\u{202E}b"),
        ("\u{2066}", "\\u{2066}"), ("\u{2069}", "\\u{2069}"),
        ("\u{200E}\u{200F}", "\\u{200E}\\u{200F}"),
        ("\u{200B}\u{200D}\u{FEFF}\u{AD}", "\\u{200B}\\u{200D}\\u{FEFF}\\u{AD}"),
        ("a\u{2028}b\u{2029}", "a\\u{2028}b\\u{2029}"),
        ("a\nb\r\nc\t\u{85}", "a\\u{A}b\\u{D}\\u{A}c\\u{9}\\u{85}"),
        ("\0", "\\u{0}"), ("\u{E0041}", "\\u{E0041}"),
    ]

    /// Fault: an id with an escape sequence clears the operator's screen, or a bidirectional
    /// override shows another id than the one that is meant.
    @Test(arguments: strange) func nothingThatSteersATerminalIsShown(text: String, shown: String) {
        #expect(text.printable == shown)
        #expect(!text.isPrintable && shown.isPrintable)
    }

    @Test(arguments: ["", "abc", "Hòa 和 наташа 😀 é", #"a\b"c'"#])
    func ordinaryTextStaysAsItIs(text: String) {
        #expect(text.printable == text && text.printableJSON == text)
    }

    /// A program that reads the JSON gets the same text.
    @Test(arguments: strange) func printableJSONMeansTheSame(text: String, shown: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .prettyPrinted
        let json = String(decoding: try encoder.encode(["a": text]), as: UTF8.self).printableJSON
        #expect(json.split(separator: "\n").allSatisfy { String($0).isPrintable })
        let value = try JSONDecoder().decode([String: String].self, from: Data(json.utf8))
        #expect(value["a"].map { Array($0.utf8) } == Array(text.utf8))
    }

    /// Fault: `explain` proposes a command with an id in it, and the shell runs what the id holds.
    @Test(
        arguments: strange.map(\.0).filter { $0 != "\0" } + [
            "", "plain-id_1.2:3", "two words", "it's", "$(reboot)", "`reboot`", "a;b", "a&b", "-x",
            "é",
            "*", "~root", "!!", "a\\b", "\u{1B}41", "'\u{202E}'",
        ]
    )
    func aShellReadsAWordAsItWas(text: String) throws {
        #expect(text.shellWord.isPrintable)
        // A script, run without Foundation's Process, which leaks a little in a sanitizer's eyes.
        let script = NSTemporaryDirectory() + UUID().uuidString
        try Data("printf %s \(text.shellWord)".utf8).write(to: URL(fileURLWithPath: script))
        defer { unlink(script) }
        let shell = try #require(popen("bash '\(script)'", "r"))
        var read = [UInt8](repeating: 0, count: 4096)
        let count = fread(&read, 1, read.count, shell)
        #expect(pclose(shell) == 0)
        #expect(Array(read[..<count]) == Array(text.utf8))
    }
}
