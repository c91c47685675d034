/// Cuts a text into chunks of whole sentences. Sizes are in characters, as Unicode counts its
/// scalars.
struct Chunker {
    struct Chunk: Equatable {
        /// Without the white space around it.
        var text: String
        /// Where it begins, in characters of the text.
        var start: Int
    }

    /// A sentence, or a part of one that is longer than a chunk; with the white space behind it.
    struct Part {
        var range: Range<String.Index>
        var start: Int
        var count: Int
    }

    let size: Int
    /// Most of a chunk's end that the next one begins with, in whole sentences.
    let overlap: Int

    func chunks(of text: String) -> [Chunk] {
        let parts = parts(of: text)
        var (chunks, first) = ([Chunk](), 0)
        while first < parts.count {
            var (end, count) = (first, 0)
            while end < parts.count, count + parts[end].count <= size {
                count += parts[end].count
                end += 1
            }
            let range = parts[first].range.lowerBound..<parts[end - 1].range.upperBound
            if let chunk = Self.chunk(text.unicodeScalars[range], at: parts[first].start) {
                chunks.append(chunk)
            }
            if end == parts.count { break }
            // Back by what may be repeated and leaves room for the sentence that comes.
            var (next, repeated) = (end, 0)
            let room = min(overlap, size - parts[end].count)
            while next - 1 > first, repeated + parts[next - 1].count <= room {
                next -= 1
                repeated += parts[next].count
            }
            first = next
        }
        return chunks
    }

    private static func chunk(_ text: Substring.UnicodeScalarView, at start: Int) -> Chunk? {
        let lead = text.prefix(while: \.properties.isWhitespace).count
        var text = text.dropFirst(lead)
        while text.last?.properties.isWhitespace == true { text = text.dropLast() }
        return text.isEmpty ? nil : Chunk(text: String(text), start: start + lead)
    }

    func parts(of text: String) -> [Part] {
        let scalars = text.unicodeScalars
        var parts: [Part] = []
        var (begin, start, count) = (scalars.startIndex, 0, 0)
        /// The last place behind white space.
        var (space, countAtSpace) = (scalars.startIndex, 0)
        func cut(at end: String.Index, after length: Int) {
            parts.append(Part(range: begin..<end, start: start, count: length))
            begin = end
            start += length
            count -= length
            (space, countAtSpace) = (end, 0)
        }
        var ending = SentenceEnding()
        for index in scalars.indices {
            if ending.isBefore(scalars[index]) { cut(at: index, after: count) }
            if count == size {
                if countAtSpace > 0 {
                    cut(at: space, after: countAtSpace)
                } else {
                    cut(at: index, after: count)
                }
            }
            count += 1
            if scalars[index].properties.isWhitespace {
                (space, countAtSpace) = (scalars.index(after: index), count)
            }
        }
        if count > 0 { cut(at: scalars.endIndex, after: count) }
        return parts
    }
}

/// Tells where a sentence ends: behind a mark that ends it, the brackets and quotes that close
/// there, and white space; and behind an empty line.
private struct SentenceEnding {
    private var isMarked = false
    private var isSpaced = false
    private var newLines = 0

    /// - Returns: whether a sentence begins with this scalar, the next of the text.
    mutating func isBefore(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.properties.isWhitespace {
            isSpaced = true
            if scalar == "\n" { newLines += 1 }
            return false
        }
        let isStart = isSpaced && (isMarked || newLines > 1) || isMarkedWide
        let isClosing = isMarked && !isSpaced && Self.closing.contains(scalar)
        isMarked = isClosing || Self.marks.contains(scalar) || Self.wide.contains(scalar)
        isMarkedWide = Self.wide.contains(scalar) || isClosing && isMarkedWide
        (isSpaced, newLines) = (false, 0)
        return isStart && !isClosing
    }

    /// Marks behind which no white space is written.
    private var isMarkedWide = false
    private static let marks: Set<Unicode.Scalar> = [".", "!", "?", "…", "؟", "।"]
    private static let wide: Set<Unicode.Scalar> = ["。", "！", "？"]
    private static let closing: Set<Unicode.Scalar> = [
        "\"", "'", ")", "]", "”", "’", "»", "」", "』", "）",
    ]
}
