import Testing

@testable import Postgres

struct ArrayTextTests {
    @Test(
        arguments: [
            ("{}", []), ("{a,b c,NULL}", ["a", "b c", nil]),
            (#"{"NULL","",null}"#, ["NULL", "", "null"]),
            (#"{"say \"hi\"","back\\slash"}"#, [#"say "hi""#, #"back\slash"#]),
            (#"{"a,b","{}"}"#, ["a,b", "{}"]),
            ("{ß,日本}", ["ß", "日本"]),
        ] as [(String, [String?])]
    )
    func elementsComeAsTheServerMeansThem(text: String, elements: [String?]) {
        #expect(ArrayText.elements(of: Array(text.utf8)) == elements)
    }

    /// Fault: what is no array ends the worker.
    @Test(
        arguments: [
            "", "a", "{", "{a", "{a,", "{,}", "{a}b", #"{"a}"#, #"{"a"b}"#, #"{"\"#, "{{a}}",
            "{a,}",
        ]
    )
    func whatIsNoArrayIsRefused(text: String) {
        #expect(ArrayText.elements(of: Array(text.utf8)) == nil)
    }
}
