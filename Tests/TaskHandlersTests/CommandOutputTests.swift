import Testing

@testable import TaskHandlers

struct CommandOutputTests {
    private static func read(
        _ text: String,
        pieces: Int = 1 << 20
    ) throws(CommandOutput.Refusal) -> ([CommandOutput.Report], CommandOutput.Last?) {
        var output = CommandOutput()
        var reports: [CommandOutput.Report] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            reports += try output.take(rest.prefix(pieces))
            rest = rest.dropFirst(pieces)
        }
        reports += try output.finish()
        return (reports, output.last)
    }

    @Test(arguments: [1, 2, 7, 1000]) func linesMayComeInPieces(pieces: Int) throws {
        let text = """
            {"progress":6.9}
            {"note":"f\\u00fcnf","progress":65}\r
            {"note":"x"}
            {"progress":1e9}
            {"result": {"a": [1.50, null]} }
            """
        for end in ["", "\n"] {
            let (reports, last) = try Self.read(text + end, pieces: pieces)
            #expect(
                reports == [
                    .init(percent: 6), .init(percent: 65, note: "fünf"), .init(note: "x"),
                    .init(percent: 100),
                ]
            )
            #expect(last == .result(#"{"a": [1.50, null]}"#))
        }
    }

    @Test(arguments: [
        (#"{"error":{"code":"NO_FILE","message":"m","retry":false}}"#, "NO_FILE", "m", false),
        (#"{"error":{"code":"A1","retry":true,"more":1}}"#, "A1", "", true),
        (#"{"error":{"code":"A"}}"#, "A", "", true),
    ])
    func anErrorMayBeTold(line: String, code: String, message: String, retries: Bool) throws {
        let (_, last) = try Self.read(line)
        #expect(last == .error(code: code, message: message, retries: retries))
    }

    @Test(arguments: [
        ("\n", CommandOutput.Refusal.notJSON), ("done\n", .notJSON), ("{}{}\n", .notJSON),
        (#"{"progress":1"#, .notJSON), ("{\"note\":\"\u{1}\"}\n", .notJSON), ("{}\n", .unknownLine),
        ("[]\n", .unknownLine), ("1\n", .unknownLine), (#"{"progres":1}"#, .unknownLine),
        (#"{"progress":"1"}"#, .unknownLine), (#"{"progress":1,"note":2}"#, .unknownLine),
        (#"{"progress":1,"result":2}"#, .unknownLine), (#"{"error":"E"}"#, .unknownLine),
        (#"{"error":{"message":"m"}}"#, .unknownLine), (#"{"error":{"code":"e"}}"#, .unknownLine),
        (#"{"error":{"code":"E","retry":"no"}}"#, .unknownLine),
        ("{\"result\":1}\n{\"progress\":1}\n", .lineAfterLast),
        ("{\"result\":1}\n\n", .lineAfterLast),
    ])
    func nothingElseIsTaken(text: String, refusal: CommandOutput.Refusal) {
        #expect(throws: refusal) { try Self.read(text) }
    }

    /// Fault: a line without an end fills the memory.
    @Test func aLineHas64KBAtMost() throws {
        let longest = #"{"note":"\#(String(repeating: "x", count: 64 << 10 - 11))"}"#
        #expect(longest.utf8.count == 64 << 10)
        for end in ["", "\n"] { #expect(try Self.read(longest + end).0.count == 1) }
        for end in ["", "\n"] {
            #expect(throws: CommandOutput.Refusal.lineTooLong) {
                try Self.read(longest + " " + end)
            }
        }
        var output = CommandOutput()
        #expect(throws: CommandOutput.Refusal.lineTooLong) {
            while true { _ = try output.take(Array(repeating: UInt8(ascii: "x"), count: 1000)) }
        }
    }
}
