import SafeText
import Testing

struct TextTableTests {
    @Test func columnsAreAsWideAsWhatIsInThem() {
        let figures = [["", "a"], ["long", "1,000"]]
        #expect(TextTable.lines(figures, .right) == ["          a", "long  1,000"])
        let text = [["a", "b", "c"], ["long", "d"]]
        #expect(TextTable.lines(text) == ["a     b  c", "long  d"])
    }

    /// Fault: a name out of a message clears the operator's screen.
    @Test func aCellCannotSteerTheTerminal() {
        let line = TextTable.lines([["\u{1B}[2J", "x"]])[0]
        #expect(!line.unicodeScalars.contains("\u{1B}"))
    }
}
