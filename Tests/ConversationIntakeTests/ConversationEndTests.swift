import Foundation
import JSON
import Testing

@testable import ConversationIntake

struct ConversationEndTests {
    /// Fault: a client of the replaced service meets another answer to the same body.
    @Test func aBodyIsJudgedAsFastAPIJudgesIt() throws {
        let bodies = try #require(
            Bundle.module.url(forResource: "golden/bodies", withExtension: "jsonl")
        )
        let lines = try String(contentsOf: bodies, encoding: .utf8).split(separator: "\n")
        #expect(lines.count > 70)
        for line in lines {
            let members = try #require(
                try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            )
            let body = try #require(members["body"] as? String)
            let answer = try #require(members["answer"] as? NSDictionary)
            if let found = Self.refusal(of: body) {
                #expect(members["status"] as? Int == found.status, "\(body)")
                #expect(found.answer == answer, "\(body)")
            } else {
                #expect(members["status"] as? Int == 200, "\(body)")
            }
        }
    }

    private static func refusal(of body: String) -> (status: Int, answer: NSDictionary)? {
        do throws(ConversationEnd.Refusal) {
            _ = try ConversationEnd(body: Array(body.utf8))
            return nil
        } catch {
            let answer = IntakeAnswer(error)
            // Of text that is no JSON FastAPI says what Python's parser expected; ours does not.
            let body = String(decoding: answer.body, as: UTF8.self)
                .replacing(/("JSON decode error"),"ctx":\{[^}]*\}/) { $0.1 }
            let object = try? JSONSerialization.jsonObject(with: Data(body.utf8))
            return (answer.status, object as? NSDictionary ?? [:])
        }
    }

    private static func body(_ changes: String...) -> [UInt8] {
        let members =
            [
                #""conversation_id":"c-1","user_id":"u-1","bot_type":"TALK","bot_id":"b""#,
                #""bot_name":"P","start_time":"2026-01-01T10:00:00Z""#,
                #""end_time":"2026-01-01T10:20:00+00:00""#,
            ] + changes
        return Array("{\(members.joined(separator: ","))}".utf8)
    }

    @Test func whatIsAskedForIsReadAndTheRestIgnored() throws {
        let event = try ConversationEnd(
            body: Self.body(
                #""agent_tag":"a","conversation_logs":[{"speaker":"user"}],"status":"SKIPPED""#,
                #""next_attempt_at":"2026-01-02T00:00:00+07:00","attempt_count":-1"#,
                #""processed_at":"?","error_code":5,"error_details":[],"new_friendship_level":{}"#,
                #""friendship_score_change":"x""#
            )
        )
        #expect(event.conversationID == "c-1" && event.userID == "u-1")
        #expect(event.botType == "TALK" && event.botID == "b" && event.botName == "P")
        #expect(event.agentTag == "a")
        #expect(event.start.text == "2026-01-01T10:00:00Z")
        #expect(event.end.text == "2026-01-01T10:20:00Z")
        #expect(event.log == #"[{"speaker":"user"}]"# && event.rawLog == nil)
        #expect(event.isSkipped)
        #expect(event.nextAttempt?.text == "2026-01-01T17:00:00Z")
    }

    @Test func theDefaultsAreThoseOfTheService() throws {
        let event = try ConversationEnd(body: Self.body())
        #expect(event.log == "[]" && event.rawLog == nil && event.agentTag == nil)
        #expect(!event.isSkipped && event.nextAttempt == nil)
    }

    /// Fault: a client sends what a worker would have written, and the row counts as done.
    @Test(arguments: ["\"PENDING\"", "\"PROCESSED\"", "\"FAILED\"", "\"skipped\"", "null", "5"])
    func onlyOneStatusIsADecision(status: String) throws {
        #expect(try ConversationEnd(body: Self.body("\"status\":\(status)")).isSkipped == false)
    }

    @Test func theFirstNameOfTheLogWinsAndTheLastOfTwins() throws {
        let event = try ConversationEnd(
            body: Self.body(
                #""conversation_logs":[{"a":1}],"conversation_log":[{"b":1}]"#,
                #""bot_id":"second""#
            )
        )
        #expect(event.log == #"[{"b":1}]"#)
        #expect(event.botID == "second")
    }

    /// Fault: what `jsonb` refuses fails in the database, with all that came with it.
    @Test(arguments: [
        (#""conversation_log":[{},{"text":"\u0000"}]"#, "value_error", 1),
        (#""conversation_log":[{"a":[{"\u0000":1}]}]"#, "value_error", 0),
        (#""conversation_log":[{"text":"\udc00x"}]"#, "string_unicode", 0),
        (#""conversation_log":[{"text":"\ud800"}]"#, "string_unicode", 0),
        (#""conversation_log":[{"text":"\udc00\ud800"}]"#, "string_unicode", 0),
        (#""conversation_log":[{"text":"\ud800\u0041"}]"#, "string_unicode", 0),
        (#""conversation_log":[{"text":"\ud800x"}]"#, "string_unicode", 0),
        // 3.8 kB of these were answered with 52 MB.
        (#""conversation_log":[{"text":"a"},{"z":[1,1e131071]}]"#, "value_error", 1),
        (#""conversation_log":[{"z":-2.5E-41}]"#, "value_error", 0),
        (#""conversation_log":[{"z":\#(String(repeating: "7", count: 41))}]"#, "value_error", 0),
    ])
    func whatTheDatabaseCannotStoreIsRefused(member: String, type: String, index: Int) throws {
        let refusal = ConversationEnd.Refusal.self
        let error = try #require(
            throws: refusal,
            performing: { try ConversationEnd(body: Self.body(member)) }
        )
        guard case .invalid(let problems) = error else {
            Issue.record("another refusal")
            return
        }
        #expect(problems.map(\.type) == [type])
        #expect(problems.map(\.place) == [[.member("conversation_log"), .index(index)]])
    }

    /// Fault: a text that only looks like such an escape is refused.
    @Test(arguments: [#"\\u0000"#, #"\ud83d\ude42"#, #"\\\\ud800"#, "🙂", #"\u0001"#])
    func whatItCanStoreIsNot(text: String) throws {
        let member = #""conversation_log":[{"text":"\#(text)"}]"#
        #expect(throws: Never.self) { try ConversationEnd(body: Self.body(member)) }
    }

    @Test(arguments: ["1.7976931348623157e+40", "12345678901234567890", "-0.5", "[1,2e4,[3]]"])
    func numbersThatAPersonMayHaveMeantAreStored(number: String) {
        let member = #""conversation_log":[{"text":"1e99999 \"1e99999","z":\#(number)}]"#
        #expect(throws: Never.self) { try ConversationEnd(body: Self.body(member)) }
    }

    /// Fault: a body of zeros is answered with fifty times its bytes.
    @Test func noMoreThanAHundredMistakesAreTold() throws {
        let zeros = String(repeating: "0,", count: 5000) + "0"
        do throws(ConversationEnd.Refusal) {
            _ = try ConversationEnd(body: Self.body(#""conversation_log":[\#(zeros)]"#))
            Issue.record("it was accepted")
        } catch {
            let text = String(decoding: IntakeAnswer(error).body, as: UTF8.self)
            #expect(text.components(separatedBy: "dict_type").count == 101)
        }
    }

    @Test(arguments: [#""user_id":"abc\u0000""#, #""agent_tag":"\ud800""#])
    func aTextThatCannotBeStoredIsRefused(member: String) {
        #expect(throws: ConversationEnd.Refusal.self) {
            try ConversationEnd(body: Self.body(member))
        }
    }

    @Test(arguments: [
        ("{", 1), ("{\"a\":}", 5), ("[1", 2), ("{} x", 3), ("{\"🙂\" 1}", 5), ("x", 0),
    ])
    func whatIsNoJSONIsRefusedWithItsPlace(body: String, offset: Int) {
        #expect(throws: ConversationEnd.Refusal.invalid([.noJSON(at: offset)])) {
            try ConversationEnd(body: Array(body.utf8))
        }
    }

    @Test func aBodyThatIsNotUTF8IsRefusedAsFastAPIRefusesIt() {
        let body = Array("{\"a\":\"".utf8) + [0xFF] + Array("\"}".utf8)
        #expect(throws: ConversationEnd.Refusal.unreadable) { try ConversationEnd(body: body) }
        #expect(IntakeAnswer(.unreadable).status == 400)
    }

    /// Fault: a nested body ends the process.
    @Test func aBodyThatIsNestedTooDeeplyIsRefused() {
        let log = String(repeating: "[", count: 100_000)
        #expect(throws: ConversationEnd.Refusal.self) {
            try ConversationEnd(body: Self.body("\"conversation_log\":\(log)"))
        }
    }

    /// As in the replaced service, whose own rule it is: the model's is only that the end comes
    /// after the start.
    @Test func lessThanASecondIsNoConversation() throws {
        let short = #""end_time":"2026-01-01T10:00:00.999999Z""#
        #expect(throws: ConversationEnd.Refusal.tooShort) {
            try ConversationEnd(body: Self.body(short))
        }
        let answer = IntakeAnswer(.tooShort)
        #expect(answer.status == 400)
        #expect(
            String(decoding: answer.body, as: UTF8.self)
                == #"{"detail":{"success":false,"error":"CONVERSATION_EVENT_INVALID","#
                + #""message":"Conversation duration must be greater than 0 seconds"}}"#
        )
        let long = #""end_time":"2026-01-01T10:00:01Z""#
        #expect(throws: Never.self) { try ConversationEnd(body: Self.body(long)) }
    }

    /// Fault: a refusal quotes what a child said.
    @Test func noRefusalQuotesTheBody() {
        for member in [
            #""conversation_log":["canary"]"#, #""conversation_log":"canary""#,
            #""conversation_log":[{"character":"canary","content":["canary"]}]"#,
            #""start_time":"canary""#, #""conversation_log":[{"text":"canary\u0000"}]"#,
            #""conversation_log":[{"canary":"canary"},]"#,
        ] {
            do throws(ConversationEnd.Refusal) {
                _ = try ConversationEnd(body: Self.body(member))
                Issue.record("not refused: \(member)")
            } catch {
                let answer = String(decoding: IntakeAnswer(error).body, as: UTF8.self)
                #expect(!answer.contains("canary"))
            }
        }
    }
}
