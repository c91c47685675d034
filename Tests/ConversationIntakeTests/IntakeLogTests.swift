import Foundation
import TestSupport
import Testing

@testable import ConversationIntake

struct IntakeLogTests {
    private struct Item: Decodable, Equatable {
        var speaker: String
        var turn_id: Int
        var text: String
    }

    private struct Case: Decodable {
        var conversation_log: [Item]
        var hasRaw: Bool

        enum CodingKeys: CodingKey { case conversation_log, raw_conversation_log }

        init(from decoder: any Decoder) throws {
            let members = try decoder.container(keyedBy: CodingKeys.self)
            hasRaw = try !members.decodeNil(forKey: .raw_conversation_log)
            conversation_log =
                hasRaw ? try members.decode([Item].self, forKey: .conversation_log) : []
        }
    }

    private let start = IntakeTime(microseconds: 0)!
    private let end = IntakeTime(microseconds: 600_500_000)!

    private func stored(_ json: String) throws -> (log: String, raw: String?) {
        try IntakeLog.stored(json, "conversation_log", from: start, to: end)
    }

    /// Fault: a log of the API's shape is stored as the replaced service would not have stored it,
    /// and scores otherwise.
    @Test func isConvertedAsTheServiceConvertsIt() throws {
        let file = Document.root.appending(
            path: "Tests/FriendshipScoringTests/golden/scoring.jsonl"
        )
        var converted = 0
        for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
            let expected = try JSONDecoder().decode(Case.self, from: Data(line.utf8))
            guard expected.hasRaw else { continue }
            let members = try JSONSerialization.jsonObject(with: Data(line.utf8))
            let raw = try JSONSerialization.data(
                withJSONObject: try #require((members as? [String: Any])?["raw_conversation_log"])
            )
            let json = String(decoding: raw, as: UTF8.self)
            let (log, kept) = try stored(json)
            #expect(
                try JSONDecoder().decode([Item].self, from: Data(log.utf8))
                    == expected.conversation_log
            )
            #expect(kept == json)
            converted += 1
        }
        #expect(converted > 10)
    }

    @Test func timestampsSpreadByThePlaceInTheListInWholeSeconds() throws {
        let log = try stored(
            """
            [{"character":"BOT","content":"a"},{"character":"USER","content":" "},
             {"character":"user x","content":" \\u00e9\\n"},{"character":"","content":"d"}]
            """
        ).log
        #expect(
            log == """
                [{"speaker":"pika","turn_id":1,"text":"a","timestamp":"1970-01-01T00:00:00Z"},\
                {"speaker":"user","turn_id":2,"text":"é","timestamp":"1970-01-01T00:05:00Z"},\
                {"speaker":"pika","turn_id":3,"text":"d","timestamp":"1970-01-01T00:07:30Z"}]
                """
        )
    }

    /// Fault: a standard log is rewritten, and its own members are lost.
    @Test(arguments: [
        "[]", #"[{"speaker":"pika","turn_id":1,"text":"a","timestamp":"t","x":[1e2]}]"#,
        #"[{"speaker":1}]"#,
        #"[ {"speaker":"a","turn_id":1,"text":"b","character":"","content":""}]"#,
    ])
    func aStandardLogIsKeptAsItIs(json: String) throws {
        let (log, raw) = try stored(json)
        #expect(log == json && raw == nil)
    }

    @Test func contentThatIsNoTextIsNamedByItsPlace() {
        let json = #"[{"character":"BOT","content":"a"},{"character":"BOT","content":5}]"#
        #expect(
            throws: ValidationProblem.noText(
                at: [.member("conversation_log"), .index(1), .member("content")]
            )
        ) { try stored(json) }
    }
}
