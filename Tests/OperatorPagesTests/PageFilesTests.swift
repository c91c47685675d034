import Foundation
import Metering
import TestSupport
import Testing

@testable import OperatorPages

/// The page's files: that they are served as they are, and ask for what the API has.
struct PageFilesTests {
    private static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent()
        .appending(path: "../../Sources/OperatorPages/Dashboard/Page")

    private static func files(_ suffix: String) throws -> [(name: String, text: String)] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path)
            .filter { $0.hasSuffix(suffix) }.sorted()
            .map { ($0, try String(contentsOf: folder.appending(path: $0), encoding: .utf8)) }
    }

    /// Fault: a module that is written and not served: the page stays empty.
    @Test func eachModuleIsServedAsItIs() async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            let modules = try Self.files(".js")
            #expect(modules.map(\.name) == Script.modules.keys.sorted())
            for module in modules {
                let answer = try rig.get("/assets/\(module.name)")
                #expect(answer.status == 200, "\(module.name)")
                #expect(answer.body == module.text, "\(module.name)")
                #expect(answer.header("Content-Type") == ["text/javascript; charset=utf-8"])
                #expect(answer.header("X-Content-Type-Options") == ["nosniff"])
                let tag = try #require(answer.header("ETag").first)
                let again = try rig.get("/assets/\(module.name)", "If-None-Match: \(tag)")
                #expect(again.status == 304 && again.body.isEmpty, "\(module.name)")
            }
            #expect(try rig.get("/assets/nothing.js").status == 404)
            #expect(try rig.get("/assets/dashboard.html").status == 404)
        }
        try await ServerRig().run(token: "correct-horse-battery") { (rig: ServerRig) throws in
            #expect(try rig.get("/assets/main.js").status == 401)
        }
    }

    /// Fault: a name in braces that no value is put in for.
    @Test func noPageHasAGapLeft() async throws {
        try await ServerRig().run(token: "correct-horse-battery") { (rig: ServerRig) throws in
            let bearer = "Authorization: Bearer correct-horse-battery"
            for page in [
                try rig.get("/", bearer), try rig.get("/tasks", bearer),
                try rig.get("/flow", bearer), try rig.get("/login"),
            ] {
                #expect(page.status == 200)
                #expect(!page.body.contains("{{") && !page.body.contains("}}"))
            }
        }
    }

    /// Fault: a file that no one reads to its end.
    @Test func filesAreShortEnoughToRead() throws {
        for (name, text) in try Self.files("s") + Self.files(".html") {
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
            #expect(lines.count <= 400, "\(name)")
            for line in lines { #expect(line.count <= 100, "\(name): \(line)") }
        }
    }

    /// Fault: a figure is renamed in the API, and the page shows "–" for ever.
    @Test func theScriptAsksForNamesThatTheAPIHas() throws {
        let known = try APISample.names()
        #expect(known.isSuperset(of: ["ready", "done_per_second", "error_details", "is_paused"]))
        let snake = /\b[a-z]+(?:_[a-z0-9]+)+\b/
        // What an answer's part is called in the modules, and the member that is asked for.
        let parts =
            "worker|queue|deadLetter|explanation|score|point|failure|alert|task|limit|schedule"
            + "|batch|rule"
        let member = try Regex("\\b(?:\(parts))\\??\\.(\\w+)", as: (Substring, Substring).self)
        var asked: Set<String> = []
        for (name, text) in try Self.files(".js") {
            let code = text.replacing(/\/\/.*|\/\*[\s\S]*?\*\/|from ".*"/, with: "")
            let names =
                code.matches(of: snake).map { String($0.output) }
                + code.matches(of: member).map { String($0.output.1) }
            for word in names { #expect(known.contains(word), "\(word) in \(name)") }
            asked.formUnion(names)
        }
        #expect(asked.count > 60, "the pattern finds them")
    }
}
