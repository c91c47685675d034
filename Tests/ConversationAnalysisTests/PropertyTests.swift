import Foundation
import FriendshipScoring
import TestSupport
import Testing

@testable import ConversationAnalysis

struct PropertyTests {
    /// Fault: the same talk is worth something else because a phone typed its letters decomposed, a
    /// recogniser shouted, or a client padded.
    @Test(arguments: [
        "decomposed", "composed", "upper case", "lower case", "padded", "curly apostrophes",
    ])
    func whatDoesNotMatterChangesNothing(change: String) {
        var different: [Int] = []
        for labelled in Labelled.all {
            let changed = labelled.conversation { text in
                switch change {
                case "decomposed": text.decomposedStringWithCanonicalMapping
                case "composed": text.precomposedStringWithCanonicalMapping
                case "upper case": text.uppercased()
                case "lower case": text.lowercased()
                case "padded": "  \t\(text)   "
                case _: text.replacingOccurrences(of: "'", with: "\u{2019}")
                }
            }
            if Analysis(reading: changed) != Analysis(reading: labelled.conversation()) {
                different.append(labelled.id)
            }
        }
        #expect(different == [])
    }

    /// "hoà" and "hòa", "thuý" and "thúy" are two spellings of one word.
    @Test func aToneBelongsToTheWord() {
        var words: [Word] = []
        for text in ["hòa", "hoà", "HOÀ", "ho\u{300}a", "hóa"] {
            var utterance = Utterance()
            utterance.read(text, with: .grammar)
            words += utterance.words
        }
        #expect(words.count == 5)
        #expect(words[0..<4].allSatisfy { $0 == words[0] })
        #expect(words[4] != words[0] && words[4].plain == words[0].plain)
    }

    @Test func theSameLogHasTheSameAnalysis() {
        for labelled in Labelled.all {
            let log = labelled.conversation()
            #expect(Analysis(reading: log) == Analysis(reading: log))
        }
    }

    @Test(arguments: 0..<UInt64(300))
    func everyAnalysisIsWithinItsBounds(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let texts = Labelled.all.flatMap(\.log).map(\.text)
        let pieces: [Substring] = texts.flatMap { $0.split(separator: " ") }
        let speakers = [Speaker.pika, .user, .other]
        var items: [ConversationLog.Item] = []
        for _ in 0..<Int.random(in: 0...40, using: &random) {
            let words = (0..<Int.random(in: 0...30, using: &random)).map { _ in
                pieces[Int.random(in: 0..<pieces.count, using: &random)]
            }
            let speaker = speakers[Int.random(in: 0..<3, using: &random)]
            items.append(.init(speaker: speaker, text: words.joined(separator: " ")))
        }
        let analysis = Analysis(reading: ConversationLog(items: items))
        #expect(0...Analysis.mostOfAKind ~= analysis.userInitiatedQuestions)
        #expect(0...Analysis.mostOfAKind ~= analysis.newMemoriesCount)
        #expect(Measurement.names.contains(analysis.sessionEmotion))
    }

    /// Fault: a conversation made up to be worth much is worth much.
    @Test func noConversationIsWorthMoreThanTheCaps() {
        let different = (0..<10_000).map {
            ConversationLog.Item(
                speaker: .user,
                text: "Why is number \($0) odd? I like number \($0)."
            )
        }
        let analysis = Analysis(reading: ConversationLog(items: different))
        #expect(analysis.userInitiatedQuestions == Analysis.mostOfAKind)
        #expect(analysis.newMemoriesCount == Analysis.mostOfAKind)

        let same = [ConversationLog.Item](
            repeating: .init(speaker: .user, text: "Why is it odd? I like numbers."),
            count: 10_000
        )
        let repeated = Analysis(reading: ConversationLog(items: same))
        #expect(repeated.userInitiatedQuestions == 1)
        #expect(repeated.newMemoriesCount == 1)
    }

    @Test(arguments: [
        "", " ", "?", "!?!?!?", "\"", "“”", "\u{0}", "\u{301}\u{302}", "e\u{301}\u{301}\u{301}",
        ".,.,.,",
        "👨‍👩‍👧‍👦", "🇻🇳", "你好吗？", "Привет, как дела?", "\u{202E}abc", "\r\n", "'", "'''", "1?", "ﷺ",
        "\u{10FFFF}",
    ])
    func oddTextsDoNoHarm(text: String) {
        let items: [(Speaker, String)] = [(.pika, text), (.user, text), (.user, text + text)]
        #expect(analysis(items).newMemoriesCount == 0)
    }

    /// Fault: a mark without a letter at the end of one item makes the next one Vietnamese.
    @Test func aStrayMarkStaysInItsItem() {
        var utterance = Utterance()
        utterance.read("so cute \u{301}", with: .grammar)
        utterance.read("so cute", with: .grammar)
        let isVietnamese = utterance.isVietnamese
        #expect(!isVietnamese)
    }

    /// Fault: one enormous item holds up a worker.
    @Test func readsNoMoreOfAnItemThanItsLimit() {
        var utterance = Utterance()
        utterance.read(String(repeating: "why? ", count: 1_000_000), with: .grammar)
        #expect(utterance.words.count == Utterance.wordLimit)
        utterance.read(String(repeating: "x", count: 1_000_000), with: .grammar)
        #expect(utterance.words.count == 1)
    }

    /// Fault: an echo of "a a a … b" is looked for in quadratic time.
    @Test func searchingForAnEchoIsLinear() {
        for count in [1_000, 2_000, 4_000] {
            let counter = Counter()
            let text = [Counted](repeating: Counted(value: 0, counter: counter), count: count)
            let wanted = Array(text.prefix(count / 2)) + [Counted(value: 1, counter: counter)]
            #expect(!text.holds(wanted))
            #expect(counter.comparisons <= 4 * count)
        }
        #expect([1, 2, 1, 2, 3].holds([1, 2, 3]) && [1, 1, 1, 2].holds([1, 1, 2]))
        #expect(![1, 2, 1, 2].holds([1, 2, 3]))
        #expect([1, 2, 3, 1, 2, 3, 1].period == [1, 2, 3])
    }

    /// What bounds the time for a word.
    @Test func noPhraseIsLong() {
        let tables =
            EnglishTables.grammar + EnglishTables.robot + EnglishTables.feelings
            + VietnameseTables.grammar + VietnameseTables.robot + VietnameseTables.feelings
        for (_, phrases) in tables {
            for phrase in phrases.split(whereSeparator: { $0 == "," || $0 == "\n" }) {
                #expect(phrase.split(separator: " ").count <= 8)
            }
        }
    }
}

private final class Counter { var comparisons = 0 }

private struct Counted: Equatable {
    let value: Int
    let counter: Counter

    static func == (lhs: Self, rhs: Self) -> Bool {
        lhs.counter.comparisons += 1
        return lhs.value == rhs.value
    }
}
