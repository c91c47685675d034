import Foundation
import Logging
import SafeText
import Testing

@testable import Settings

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

    /// Fault: a conversation's id steers the terminal that shows the log, or adds a line to it.
    @Test(arguments: ["\u{1B}[2J", "\u{7}", "\u{9B}31m", "\u{7F}", "\u{202E}x", "a\u{2028}b", "\r"])
    func noFieldSteersATerminal(text: String) throws {
        let fields: Logger.Metadata = ["id": "\(text)", "list": ["\(text)"], text: "1"]
        let json = handler.jsonLine(.info, "event \(text)", fields)
        let line = handler.textLine(.info, "event \(text)", fields)
        for output in [json, line] { #expect(String(output.dropLast()).isPrintable, "\(output)") }
        let object = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any]
        #expect(object?["id"] as? String == text)
    }

    /// Fault: a program that reads the log finds a list and a boolean as strings, and a duration
    /// with fourteen decimals.
    @Test func aJSONLineKeepsTypes() throws {
        let line = handler.jsonLine(
            .info,
            "event",
            [
                "reasons": ["a", "b \"c\""], "is_on": .stringConvertible(false),
                "seconds": .stringConvertible(70.05703687667847),
                "small": .stringConvertible(0.00031249), "none": .stringConvertible(0.0),
                "large": .stringConvertible(1e300),
                "tiny": .stringConvertible(Double.leastNonzeroMagnitude),
                "not": .stringConvertible(Double.nan), "nested": ["n": .stringConvertible(1)],
            ]
        )
        for part in [
            #""reasons":["a","b \"c\""]"#, #""is_on":false"#, #""seconds":70.057,"#,
            #""small":0.000312,"#, #""none":0.0,"#, #""large":1e+300,"#, #""nested":{"n":1}"#,
            #""not":"nan""#,
        ] { #expect(line.contains(part), "\(line)") }
        _ = try JSONSerialization.jsonObject(with: Data(line.utf8))
        let text = handler.textLine(
            .info,
            "event",
            ["reasons": ["a", "b"], "seconds": .stringConvertible(-1.23456)]
        )
        #expect(text.hasSuffix(" reasons=a,b seconds=-1.235\n"), "\(text)")
    }
}
