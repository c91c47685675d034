import Foundation
import TestSupport
import Testing

/// The README and the articles: short, linked, in plain words, and true where a program can tell.
struct DocumentsTests {
    /// Fault: four kinds of readers scroll through 72 KB.
    @Test func theReadmeIsAtMost12KB() throws {
        #expect(try Document.readme().text.utf8.count <= 12 << 10)
    }

    /// Fault: an article that no page leads to is read by no one.
    @Test(arguments: ["README.md", "Amity.md"])
    func theIndexLeadsToEveryArticle(index: String) throws {
        let all = try Document.all()
        let page = try #require(all.first { $0.name == index })
        try #require(all.count > 10)
        for article in all where !["README.md", "Amity.md"].contains(article.name) {
            let isLinked = page.text.contains("\(article.name))")
            #expect(isLinked, "\(index) does not link \(article.name)")
        }
    }

    /// Fault: a page was moved, or a heading renamed, and links lead nowhere.
    @Test func everyRelativeLinkResolves() throws {
        let all = try Document.all()
        var count = 0
        for document in all {
            for target in document.linkTargets where !target.contains("://") {
                count += 1
                let parts = target.split(separator: "#", omittingEmptySubsequences: false)
                let path = String(parts[0])
                let file =
                    path.isEmpty
                    ? document.file
                    : document.file.deletingLastPathComponent().appending(path: path).standardized
                let place = "\(document.name): \(target)"
                #expect(FileManager.default.fileExists(atPath: file.path), "\(place)")
                guard parts.count > 1 else { continue }
                let page = all.first { $0.file.standardized.path == file.standardized.path }
                #expect(page?.anchors.contains(String(parts[1])) == true, "\(place)")
            }
        }
        try #require(count > 50)
    }

    /// Tables cannot be wrapped, nor can a URL.
    @Test func noLineIsOver100Columns() throws {
        for document in try Document.all() {
            for (number, line) in document.lines.enumerated()
            where line.count > 100 && !line.hasPrefix("|") && !line.contains("://") {
                Issue.record("\(document.name):\(number + 1) has \(line.count) columns")
            }
        }
    }

    /// Plain technical English: no people for components, no figures of speech. Names in backticks
    /// are as the program has them.
    @Test func noDocumentSpeaksInRiddles() throws {
        let words = [
            "somebody", "nobody", "whoever", "anybody", "anyone", "desk", "office", "farewell",
            "neighbour", "news", "dear", "heal", "thrice", "shall", "befall", "letter",
        ]
        let banned = try Regex("\\b(?:\(words.joined(separator: "|")))s?\\b").ignoresCase()
        for document in try Document.all() {
            // A dead letter is the field's term. What is left out keeps its lines, to count them.
            let text = document.text.replacing(/`[^`\n]*`|(?i:dead[-\s]+letter)/) { match in
                match.output.contains("\n") ? "\n" : ""
            }
            for match in text.matches(of: banned) {
                let number = text[..<match.range.lowerBound].count { $0 == "\n" } + 1
                Issue.record("\(document.name):\(number) says '\(text[match.range])'")
            }
        }
    }

    /// Fault: a file was moved, and the page that sends a reader there was not.
    @Test func everyFileThatIsNamedExists() throws {
        let sources = try Self.files(in: "Sources") + Self.files(in: "Tests")
        let names = Set(sources.map(\.lastPathComponent))
        var count = 0
        for document in try Document.all() {
            for name in document.names {
                if name.wholeMatch(of: /[\w+]+\.swift/) != nil {
                    count += 1
                    let isThere = names.contains(name)
                    #expect(isThere, "\(document.name): \(name)")
                }
                if let path = name.wholeMatch(of: /((?:deploy|Sources|Tests)\/[\w.\/@-]+)(?: .*)?/)
                {
                    // Made by an operator, and in no repository.
                    if path.1.hasPrefix("deploy/secrets.d") || path.1 == "deploy/.env" { continue }
                    count += 1
                    let file = Document.root.appending(path: String(path.1)).path
                    let isThere = FileManager.default.fileExists(atPath: file)
                    #expect(isThere, "\(document.name): \(name)")
                }
            }
        }
        try #require(count > 40)
    }

    /// Fault: a test is renamed or removed, and the table of faults still names it.
    @Test func theTestsOfTheFaultsOfTasksAreThere() throws {
        let tests = try Self.files(in: "Tests/IntegrationTests")
            .map { try String(contentsOf: $0, encoding: .utf8) }.joined()
        let rows = try Self.rows("Guarantees", under: "fault")
        try #require(rows.count > 10)
        for row in rows {
            let names = row.split(separator: "|").last?.matches(of: /`(\w+)`/) ?? []
            for name in names.map(\.1) {
                let isThere = tests.contains("func \(name)(")
                #expect(isThere, "\(name)")
            }
        }
    }

    /// Fault: a module was added, split or renamed, and the map of the modules was not.
    @Test func theTableOfModulesIsComplete() throws {
        let folder = Document.root.appending(path: "Sources").path
        let modules = try FileManager.default.contentsOfDirectory(atPath: folder)
        try #require(modules.count > 10)
        let rows = try Self.rows("Internals", under: "target")
        let named = rows.flatMap { row in
            row.split(separator: "|")[0].matches(of: /`(\w+)`/).map { String($0.1) }
        }
        #expect(Set(named) == Set(modules))
    }

    /// Fault: an example that a reader copies does not compile.
    @Test func theExampleOfAHandlerIsCompiled() throws {
        let file = try #require(
            try Self.files(in: "Tests").first { $0.lastPathComponent == "BirthdayHandler.swift" }
        )
        let blocks = try Document.article("WritingAHandler").blocks
        let shown = try #require(blocks.first { $0.language == "swift" }?.lines)
        let isEqual =
            try shown.joined(separator: "\n") + "\n" == String(contentsOf: file, encoding: .utf8)
        #expect(isEqual, "copy the file into the article")
    }

    /// Fault: a tutorial shows other files than those that the tests run.
    @Test func theExamplesOfTasksAreTheFilesThatAreThere() throws {
        let blocks = try Document.article("Tasks").blocks.map {
            $0.lines.joined(separator: "\n") + "\n"
        }
        for path in [
            "resize/handler.py", "resize/types.json", "thumbnail/Package.swift",
            "thumbnail/Sources/thumbnail/main.swift", "thumbnail/types.json",
        ] {
            let file = Document.root.appending(path: "deploy/examples").appending(path: path)
            let text = try String(contentsOf: file, encoding: .utf8)
            #expect(blocks.contains(text), "copy \(path) into the article")
        }
    }

    /// Fault: a message is dead-lettered with a code that no page explains, or a page explains one
    /// that cannot occur.
    @Test func theTableOfErrorCodesIsComplete() throws {
        let raised = try Self.sources().flatMap { source in
            source.matches(of: /\bcode: (?:[^"\n]*\? "([A-Z_]+)" : )?"([A-Z][A-Z_]+)"/)
                .flatMap { [$0.1, $0.2].compactMap { $0.map(String.init) } }
        }
        try #require(raised.count > 10)
        #expect(try Set(Self.firstCells("Messages", under: "error code")) == Set(raised))
    }

    @Test func theTableOfHeadersIsComplete() throws {
        let written = try Self.sources().flatMap { source in
            source.matches(of: /static let \w+ = "(amity-[a-z0-9-]+)"/).map { String($0.1) }
        }
        try #require(written.count > 8)
        let named = try Self.rows("Messages", under: "header").flatMap { row in
            row.matches(of: /`(amity-[a-z0-9-]+)`/).map { String($0.1) }
        }
        #expect(Set(named) == Set(written))
    }

    /// Fault: an operator searches the page for the line in the log, and finds another name.
    @Test func everyEventThatIsNamedIsLogged() throws {
        let source = try Self.sources().joined()
        var count = 0
        for document in try Document.all() {
            for name in document.names
            where name.wholeMatch(of: /[a-z]+(?:-[a-z]+)*\.[a-z]+(?:-[a-z]+)*/) != nil
                && name != "error.message"  // A member of an answer over HTTP.
            {
                count += 1
                let isLogged = source.contains("\"\(name)\"")
                #expect(isLogged, "\(document.name): \(name)")
            }
        }
        try #require(count > 30)
    }

    /// Fault: what can happen is not explained, or what is explained cannot happen.
    @Test(arguments: [
        ("Monitoring", "alert", "enum AlertName: String"),
        ("Guarantees", "kind", "enum Kind: String, Sendable, CaseIterable"),
        ("WritingAHandler", "outcome", "enum Outcome: Sendable"),
    ])
    func aTableHasARowForEachCase(article: String, head: String, type: String) throws {
        let named = try Self.rows(article, under: head).compactMap { row in
            row.firstMatch(of: /^\| `\.?([\w-]+)/).map { String($0.1) }
        }
        #expect(try Set(named) == Set(Self.cases(of: type)))
    }

    @Test func everyRuleOfPrometheusIsNamed() throws {
        let file = Document.root.appending(path: "deploy/alerts.yml")
        let rules = try String(contentsOf: file, encoding: .utf8)
            .matches(of: /- alert: (\w+)/).map { String($0.1) }
        try #require(rules.count > 10)
        let named = try Document.article("Monitoring").names.filter { $0.hasPrefix("Amity") }
        #expect(Set(named) == Set(rules))
    }

    /// Swift code under a folder of the repository.
    private static func files(in folder: String) throws -> [URL] {
        let all = FileManager.default.enumerator(
            at: Document.root.appending(path: folder),
            includingPropertiesForKeys: nil
        )
        return try #require(all).compactMap { $0 as? URL }.filter { $0.pathExtension == "swift" }
    }

    private static func sources() throws -> [String] {
        try files(in: "Sources").map { try String(contentsOf: $0, encoding: .utf8) }
    }

    /// The raw values, or names, of an enum's cases.
    private static func cases(of declaration: String) throws -> [String] {
        let source = try #require(try sources().first { $0.contains(declaration) })
        let lines = source.split(separator: "\n").drop { !$0.contains(declaration) }
        let end = try #require(lines.first).prefix { $0 == " " } + "}"
        let cases = lines.prefix { $0 != end }.compactMap { line in
            line.firstMatch(of: /^ *case (\w+)(?: = "([^"]+)")?/).map { String($0.2 ?? $0.1) }
        }
        try #require(cases.count > 1)
        return cases
    }

    /// The names in the first column of the table that begins so.
    private static func firstCells(_ article: String, under head: String) throws -> [String] {
        try rows(article, under: head).compactMap { row in
            row.firstMatch(of: /^\| `([^`]+)`/).map { String($0.1) }
        }
    }

    private static func rows(_ article: String, under head: String) throws -> [String] {
        let table = try Document.article(article).lines.drop { !$0.hasPrefix("| \(head) |") }
            .prefix { $0.hasPrefix("|") }
        return Array(table.dropFirst(2))
    }
}

extension Document {
    /// Where its links and pictures lead.
    fileprivate var linkTargets: [String] {
        prose.flatMap { line in
            line.replacing(/`[^`]*`/, with: "").matches(of: /\]\(([^)\s]+)\)/).map { String($0.1) }
        }
    }

    /// The anchors that forges make of headings.
    fileprivate var anchors: Set<String> {
        var counts: [String: Int] = [:]
        let anchors = headings.map { heading in
            let kept = heading.lowercased().filter {
                $0.isLetter || $0.isNumber || " -_".contains($0)
            }
            let anchor = kept.replacing(" ", with: "-")
            let count = counts[anchor, default: 0]
            counts[anchor] = count + 1
            return count == 0 ? anchor : "\(anchor)-\(count)"
        }
        return Set(anchors)
    }
}
