import Testing

@testable import Postgres

struct ParameterTests {
    private func text(of parameter: Parameter) -> String? {
        var buffer = ParameterBuffer()
        return buffer.withCStrings([.text("before"), parameter, .null]) { strings in
            strings[1].map { String(cString: $0) }
        }
    }

    /// Fault: a quote or a backslash in one id ends it, and the next one is another's.
    @Test(
        arguments: [
            ([], "{}"), ([nil], "{NULL}"), ([""], #"{""}"#), (["NULL", nil], #"{"NULL",NULL}"#),
            (["a\"b", "c\\", "\\\"", "\"\""], #"{"a\"b","c\\","\\\"","\"\""}"#),
            (["ừ\"é", "{,}", "me\u{323}"], "{\"ừ\\\"é\",\"{,}\",\"me\u{323}\"}"),
        ] as [([String?], String)]
    )
    func elementsOfAnArrayAreQuoted(texts: [String?], expected: String) {
        #expect(text(of: .textArray(texts)).map { Array($0.utf8) } == Array(expected.utf8))
    }

    @Test func nothingIsSentForNull() {
        #expect(text(of: .null) == nil)
        #expect(text(of: .text("")) == "")
    }
}
