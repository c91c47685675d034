import Foundation
import Testing

@testable import TaskTypes
@testable import Tasks

struct TypesFileTests {
    private func problems(_ json: String) -> [String] {
        do throws(TypesFile.Problems) {
            _ = try TypesFile.parse(Data(json.utf8))
            return []
        } catch { return error.list.map(\.pointer) }
    }

    @Test func aTypeIsReadWithItsDefaults() throws {
        let json = """
            {"types": [
                {"type": "resize", "pool": "gpu-1", "priority": "high", "timeout_seconds": 30,
                 "retry_limit": 4, "handler": {"kind": "http",
                 "url": "https://images.internal/resize", "secret": "TASK_SECRET_RESIZE_2"}},
                {"type": "count", "handler": {"kind": "swift"}},
                {"type": "report", "handler": {"kind": "command"}}
            ]}
            """
        let url = "https://images.internal/resize"
        #expect(
            try TypesFile.parse(Data(json.utf8)) == [
                TaskType(
                    name: "resize",
                    pool: "gpu-1",
                    priority: .high,
                    handler: .http(url: url, secret: "TASK_SECRET_RESIZE_2"),
                    timeout: 30,
                    retryLimit: 4
                ),
                TaskType(name: "count", handler: .swift),
                TaskType(name: "report", handler: .command),
            ]
        )
    }

    @Test func aBuiltInTypeKeepsItsHandler() throws {
        let limited = #"{"type": "benchmark", "pool": "slow", "limit": {"cap": 2}}"#
        let type = try TypesFile.parse(Data(#"{"types": [\#(limited)]}"#.utf8))[0]
        #expect(type.handler == .swift && type.pool == "slow" && type.limit?.cap == 2)
        // No worker would have such a one.
        let other = #"{"type": "test", "handler": {"kind": "command"}}"#
        #expect(problems(#"{"types": [\#(other)]}"#) == ["/types/0/handler"])
        let swift = #"{"type": "test", "handler": {"kind": "swift"}}"#
        #expect(problems(#"{"types": [\#(swift)]}"#).isEmpty)
    }

    @Test func aLimitIsReadWithItsDefaults() throws {
        func limit(_ json: String) throws -> TaskLimit? {
            let type = #"{"type": "t", "handler": {"kind": "swift"}, "limit": \#(json)}"#
            return try TypesFile.parse(Data(#"{"types": [\#(type)]}"#.utf8))[0].limit
        }
        var expected = TaskLimit()
        (expected.rate, expected.burst, expected.cap) = (2.5, 1, nil)
        #expect(try limit(#"{"rate": 2.5}"#) == expected)
        (expected.key, expected.burst) = (.payload(["account", "id"]), 9)
        #expect(try limit(#"{"by": "payload.account.id", "rate": 2.5, "burst": 9}"#) == expected)
        expected = TaskLimit()
        (expected.key, expected.cap, expected.isStrict) = (.kb, 1, true)
        #expect(try limit(#"{"by": "kb_id", "order": "strict"}"#) == expected)
    }

    @Test(arguments: [
        ("{}", ""), ("3", ""), (#"{"by": "name", "cap": 1}"#, "/by"),
        (#"{"by": "payload", "cap": 1}"#, "/by"), (#"{"by": "payload.a..b", "cap": 1}"#, "/by"),
        (#"{"rate": 0}"#, "/rate"), (#"{"rate": "1"}"#, "/rate"),
        (#"{"rate": 100, "burst": 39}"#, "/burst"), (#"{"cap": 2, "burst": 3}"#, "/burst"),
        (#"{"cap": 0}"#, "/cap"), (#"{"cap": 2, "order": "strict"}"#, "/cap"),
        (#"{"cap": 1, "order": "loose"}"#, "/order"), (#"{"cap": 1, "per": 1}"#, "/per"),
    ])
    func everyMemberOfALimitIsChecked(json: String, pointer: String) {
        let type = #"{"type": "t", "handler": {"kind": "swift"}, "limit": \#(json)}"#
        let found = problems(#"{"types": [\#(type)]}"#)
        #expect(found.contains("/types/0/limit\(pointer)"), "\(found)")
    }

    /// Fault: a mistake is taken for something else, or the message does not say where it is.
    @Test(arguments: [
        ("[]", [""]), ("{", [""]), ("{}", ["/types"]), (#"{"types": 3}"#, ["/types"]),
        (#"{"types": [], "a/b~": 1}"#, ["/a~1b~0"]), (#"{"types": [1]}"#, ["/types/0"]),
        (#"{"types": [{}]}"#, ["/types/0/type", "/types/0/handler"]),
    ])
    func theFormIsChecked(json: String, pointers: [String]) {
        #expect(problems(json) == pointers)
    }

    @Test(arguments: [
        (#""type": """#, "type"), (#""type": "a b""#, "type"), (#""type": 3"#, "type"),
        (#""type": "..""#, "type"), (#""type": "amity.callback""#, "type"),
        (#""type": "é""#, "type"),
        (#""pool": "Upper""#, "pool"), (#""pool": """#, "pool"), (#""pool": "a.b""#, "pool"),
        (#""priority": "urgent""#, "priority"), (#""priority": 1"#, "priority"),
        (#""timeout_seconds": 0"#, "timeout_seconds"),
        (#""timeout_seconds": 86401"#, "timeout_seconds"),
        (#""timeout_seconds": 1.5"#, "timeout_seconds"),
        (#""timeout_seconds": true"#, "timeout_seconds"),
        (#""retry_limit": -1"#, "retry_limit"), (#""retry_limit": "3""#, "retry_limit"),
        (#""retries": 3"#, "retries"), (#""handler": "swift""#, "handler"),
        (#""handler": {"kind": "python"}"#, "handler/kind"),
        (#""handler": {}"#, "handler/kind"),
        (#""handler": {"kind": "swift", "url": "https://a"}"#, "handler/url"),
        (#""handler": {"kind": "command", "argv": ["sh"]}"#, "handler/argv"),
        (#""handler": {"kind": "http"}"#, "handler/url"),
        (#""handler": {"kind": "http", "url": "ftp://a"}"#, "handler/url"),
        (#""handler": {"kind": "http", "url": "https://u:p@a"}"#, "handler/url"),
        (#""handler": {"kind": "http", "url": "https://a", "secret": "HOME"}"#, "handler/secret"),
        (
            #""handler": {"kind": "http", "url": "https://a", "secret": "TASK_SECRET_"}"#,
            "handler/secret"
        ),
        (
            #""handler": {"kind": "http", "url": "https://a", "secret": "TASK_SECRET_a-b"}"#,
            "handler/secret"
        ),
    ])
    func theMemberThatIsWrongIsNamed(member: String, name: String) {
        let rest = [#""type": "t""#, #""handler": {"kind": "swift"}"#].filter {
            !member.hasPrefix($0.prefix(7))
        }
        let json = #"{"types": [{\#(([member] + rest).joined(separator: ", "))}]}"#
        #expect(problems(json) == ["/types/0/\(name)"])
    }

    /// Fault: a file is mended one message at a time; or a value, perhaps a secret, is quoted.
    @Test func allProblemsComeAtOnceAndQuoteNoValue() {
        let json = """
            {"types": [{"type": "t", "handler": {"kind": "swift"}, "pool": "p"},
                {"type": "t", "handler": {"kind": "http", "url": "secretly"}, "retry_limit": 777},
                {"type": "t", "handler": {"kind": "swift"}}]}
            """
        do throws(TypesFile.Problems) {
            _ = try TypesFile.parse(Data(json.utf8))
            Issue.record("taken")
        } catch {
            #expect(
                error.list.map(\.pointer) == [
                    "/types/1/retry_limit", "/types/1/handler/url", "/types/2/type",
                ]
            )
            #expect(!error.description.contains("secretly"))
            #expect(!error.description.contains("777"))
        }
    }
}
