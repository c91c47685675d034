import TestSupport
import Testing

@testable import Documents

struct ChunkerTests {
    private func texts(_ text: String, size: Int, overlap: Int = 0) -> [String] {
        Chunker(size: size, overlap: overlap).chunks(of: text).map(\.text)
    }

    @Test(arguments: [
        ("", []), ("One. Two! Three?", ["One. ", "Two! ", "Three?"]),
        ("One.Two 3.5 e.g", ["One.Two 3.5 e.g"]),
        ("He said \"no.\" So (yes!) it", ["He said \"no.\" ", "So (yes!) ", "it"]),
        ("Title\n\nText\nmore", ["Title\n\n", "Text\nmore"]), ("Wait… so", ["Wait… ", "so"]),
        ("犬。「猫！」鳥", ["犬。", "「猫！」", "鳥"]), ("a. \"B.\" c", ["a. ", "\"B.\" ", "c"]),
    ])
    func knowsSentences(text: String, sentences: [String]) {
        let parts = Chunker(size: 100, overlap: 0).parts(of: text)
        #expect(parts.map { String(text.unicodeScalars[$0.range]) } == sentences)
    }

    @Test func whiteSpaceIsNoChunk() {
        #expect(texts(" \n\n ", size: 2) == [])
    }

    @Test func fillsChunksWithWholeSentences() {
        let text = "Aaaa. Bbbb. Cccc. Dddd."
        #expect(texts(text, size: 12) == ["Aaaa. Bbbb.", "Cccc. Dddd."])
        #expect(texts(text, size: 11) == ["Aaaa.", "Bbbb.", "Cccc. Dddd."])
        #expect(texts(text, size: 100) == [text])
    }

    @Test func repeatsTheEndOfTheChunkBefore() {
        let text = "Aaaa. Bbbb. Cccc. Dddd."
        #expect(
            texts(text, size: 12, overlap: 6) == ["Aaaa. Bbbb.", "Bbbb. Cccc.", "Cccc. Dddd."]
        )
        #expect(texts(text, size: 12, overlap: 5) == ["Aaaa. Bbbb.", "Cccc. Dddd."])
    }

    @Test func cutsALongSentenceAtWords() {
        #expect(texts("aaa bbb ccc ddd", size: 8) == ["aaa bbb", "ccc ddd"])
        #expect(texts("aaaaaaaaaabb", size: 5) == ["aaaaa", "aaaaa", "bb"])
    }

    @Test func countsCharactersAsUnicodeDoes() {
        let chunks = Chunker(size: 7, overlap: 0).chunks(of: "Größe.  Ja, é. ")
        #expect(chunks == [.init(text: "Größe.", start: 0), .init(text: "Ja, é.", start: 8)])
    }

    /// Fault: a chunk is too long, a part of the text is in none, or it never ends.
    @Test func holdsForAnyText() {
        var generator = SeededGenerator(seed: 7)
        let alphabet = Array("ab .!?\n\"ä。」e\u{301}").map(String.init)
        for _ in 0..<2000 {
            let length = Int.random(in: 0...60, using: &generator)
            let text = (0..<length).map { _ in alphabet.randomElement(using: &generator) ?? "" }
                .joined()
            let size = Int.random(in: 1...20, using: &generator)
            let overlap = Int.random(in: 0...size / 2, using: &generator)
            let scalars = Array(text.unicodeScalars)
            var covered = Set<Int>()
            var end = 0
            for chunk in Chunker(size: size, overlap: overlap).chunks(of: text) {
                let own = Array(chunk.text.unicodeScalars)
                #expect(!own.isEmpty && own.count <= size)
                #expect(chunk.start + own.count > end, "it has nothing of its own")
                end = chunk.start + own.count
                #expect(Array(scalars[chunk.start..<chunk.start + own.count]) == own)
                covered.formUnion(chunk.start..<chunk.start + own.count)
            }
            for index in scalars.indices where !scalars[index].properties.isWhitespace {
                #expect(covered.contains(index))
            }
        }
    }
}
