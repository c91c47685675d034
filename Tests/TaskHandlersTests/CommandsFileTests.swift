import Foundation
import Testing

@testable import TaskHandlers

struct CommandsFileTests {
    @Test func holdsACommandForEachType() throws {
        let json = """
            {"commands": [
                {"type": "resize", "argv": ["/usr/bin/convert", "-", ""],
                 "environment": {"LIMIT": "1"}},
                {"type": "a.b-c_d", "argv": ["/bin/true"]}
            ]}
            """
        let file = try CommandsFile(Data(json.utf8))
        #expect(file.commands.count == 2)
        #expect(
            file.commands["resize"]
                == .init(argv: ["/usr/bin/convert", "-", ""], environment: ["LIMIT": "1"])
        )
        #expect(file.commands["a.b-c_d"] == .init(argv: ["/bin/true"]))
        #expect(try CommandsFile(Data(#"{"commands": []}"#.utf8)).commands.isEmpty)
    }

    @Test(arguments: [
        ("", ["the file: is no JSON"]), ("[]", ["the file: is no object"]),
        ("{}", ["/commands: is missing, or no array"]),
        (
            #"{"commands": [], "a/b~": 1}"#,
            ["/a~1b~0: is unknown; known are commands"]
        ),
        (
            #"{"commands": [1, {"type": "a", "argv": ["/a"]}, {"type": "a", "argv": ["/a"]}]}"#,
            ["/commands/0: is no object", "/commands/2/type: is there twice"]
        ),
        (
            #"{"commands": [{"type": "a", "argv": ["sh", 1], "environment": {"A=": 2}}]}"#,
            [
                "/commands/0/argv/1: is no string, or holds a NUL",
                "/commands/0/argv/0: is no absolute path",
                "/commands/0/environment/A=: is no name of a variable",
                "/commands/0/environment/A=: is no string, or holds a NUL",
            ]
        ),
        (
            #"{"commands": [{"type": "a", "argv": [], "environment": 1}]}"#,
            [
                "/commands/0/argv: is an array of strings, the first a program's path",
                "/commands/0/environment: is no object",
            ]
        ),
    ])
    func namesAllProblemsAtOnce(json: String, problems: [String]) {
        let thrown = #expect(throws: CommandsFile.Problems.self) {
            try CommandsFile(Data(json.utf8))
        }
        #expect(thrown?.list.map(\.description) == problems)
    }
}
