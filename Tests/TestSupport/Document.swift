import Foundation

/// The README or one of the articles, for tests that compare what is written with what is true.
package struct Document: Sendable {
    package struct Block: Sendable {
        /// What follows the fence: `sh` for commands to paste, `text` for what a command prints.
        package let language: String
        package let lines: [String]
        /// The nearest heading before it.
        package let heading: String
    }

    package let file: URL
    package let text: String

    package static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    package static let articles = root.appending(path: "Sources/AmityCLI/Amity.docc")

    package static func readme() throws -> Document {
        try Document(root.appending(path: "README.md"))
    }

    /// - Parameter name: without folder and extension, e.g. `GettingStarted`.
    package static func article(_ name: String) throws -> Document {
        try Document(articles.appending(path: "\(name).md"))
    }

    /// The README first, then the articles by name.
    package static func all() throws -> [Document] {
        let files = try FileManager.default.contentsOfDirectory(atPath: articles.path)
        return try [readme()]
            + files.filter { $0.hasSuffix(".md") }.sorted()
            .map { try Document(articles.appending(path: $0)) }
    }

    private init(_ file: URL) throws {
        self.file = file
        text = try String(contentsOf: file, encoding: .utf8)
    }

    package var name: String { file.lastPathComponent }
    package var lines: [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    /// The lines outside of fenced blocks.
    package var prose: [String] {
        var isInside = false
        return lines.filter { line in
            if line.hasPrefix("```") { isInside.toggle() }
            return !isInside && !line.hasPrefix("```")
        }
    }

    package var headings: [String] {
        prose.filter { $0.hasPrefix("#") }.map {
            $0.drop { $0 == "#" }.trimmingCharacters(in: .whitespaces)
        }
    }

    package var blocks: [Block] {
        var blocks: [Block] = []
        var heading = ""
        var language: String?
        var inside: [String] = []
        for line in lines {
            if line.hasPrefix("```") {
                if let open = language {
                    blocks.append(Block(language: open, lines: inside, heading: heading))
                    (language, inside) = (nil, [])
                } else {
                    language = String(line.dropFirst(3))
                }
            } else if language != nil {
                inside.append(line)
            } else if line.hasPrefix("#") {
                heading = line.drop { $0 == "#" }.trimmingCharacters(in: .whitespaces)
            }
        }
        return blocks
    }

    /// The commands of `sh` blocks, without their comments; of one section, or of all.
    package func commands(under heading: String? = nil) -> [String] {
        blocks.filter { $0.language == "sh" && (heading == nil || $0.heading == heading) }
            .flatMap(\.lines)
            .map { $0.replacing(/(^|\s)#.*/, with: "").trimmingCharacters(in: .whitespaces) }
            .filter { !$0.isEmpty }
    }

    /// What stands between single backticks in the prose.
    package var names: [String] {
        prose.flatMap { $0.matches(of: /`([^`]+)`/).map { String($0.1) } }
    }
}
