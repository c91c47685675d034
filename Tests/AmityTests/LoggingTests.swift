import Foundation
import Logging
import SafeText
import Testing

@testable import Amity

struct LoggingTests {
    private let handler = LineLogHandler(label: "amity", asJSON: true, logLevel: .info)

    @Test func aJSONLineHasItsFieldsWithTheirTypes() throws {
        let line = handler.jsonLine(
            .warning,
            "event.name",
            ["id": "12", "count": .stringConvertible(12), "text": "a \"b\"\n\u{1}/é"]
        )
        #expect(line.hasSuffix("}\n") && line.dropLast().allSatisfy { $0 != "\n" })
        let object = try #require(
            JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        )
        #expect(object["level"] as? String == "warning")
        #expect(object["event"] as? String == "event.name")
        #expect(object["id"] as? String == "12")
        #expect(object["count"] as? Int == 12)
        #expect(object["text"] as? String == "a \"b\"\n\u{1}/é")
        #expect((object["time"] as? String)?.hasSuffix("Z") == true)
    }

    @Test func aTextLineIsOneLine() {
        let line = handler.textLine(.info, "event.name", ["b": "two words", "a": "x\ny"])
        #expect(line.hasSuffix(" INFO event.name a=\"x\\ny\" b=\"two words\"\n"))
    }

    /// Fault: a conversation's id steers the terminal of whoever reads the log, or adds a line to it.
    @Test(arguments: ["\u{1B}[2J", "\u{7}", "\u{9B}31m", "\u{7F}", "\u{202E}x", "a\u{2028}b", "\r"])
    func noFieldSteersATerminal(text: String) throws {
        let fields: Logger.Metadata = ["id": "\(text)", "list": ["\(text)"], text: "1"]
        let json = handler.jsonLine(.info, "event \(text)", fields)
        let line = handler.textLine(.info, "event \(text)", fields)
        for output in [json, line] { #expect(String(output.dropLast()).isPrintable, "\(output)") }
        let object = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any]
        #expect(object?["id"] as? String == text)
    }
}
