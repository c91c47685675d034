import Foundation
import TestSupport

/// A file of the project that people write: Swift, C, or a script.
struct SourceFile {
    /// From the project's root, `Sources/AMQP/Consumer.swift`.
    let path: String
    let lines: [Substring]

    var isSwift: Bool { path.hasSuffix(".swift") }

    /// The target, where it is in one: the second part of its path.
    var target: String { String(path.split(separator: "/")[1]) }

    /// The target's subfolder; empty for files at its top.
    var folder: String {
        let parts = path.split(separator: "/")
        return parts.count > 3 ? String(parts[2]) : ""
    }

    /// Without line comments.
    var code: String {
        lines.map { line in
            line.firstRange(of: "//").map { line[..<$0.lowerBound] } ?? line
        }.joined(separator: "\n")
    }

    /// Every word of the code.
    var names: Set<Substring> {
        lines.reduce(into: []) { names, line in
            let code = line.firstRange(of: "//").map { line[..<$0.lowerBound] } ?? line
            names.formUnion(code.split { !($0.isLetter || $0.isNumber || $0 == "_") })
        }
    }

    /// Types that are declared at the file's top level.
    var types: [Substring] {
        lines.compactMap { line in
            let words = line.split(separator: " ")
            let kinds: Set<Substring> = ["struct", "class", "enum", "protocol"]
            guard line.first?.isLetter == true, let place = words.firstIndex(where: kinds.contains),
                place + 1 < words.count, !words[..<place].contains("private")
            else { return nil }
            return words[place + 1].prefix { $0.isLetter || $0.isNumber || $0 == "_" }
        }
    }

    init(_ path: String, _ text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    }
}

/// All of them. Read once: they do not change while tests run.
enum SourceTree {
    static let sources = read("Sources")
    static let all = sources + read("Tests") + read("deploy") + [file("Package.swift")]

    static func file(_ path: String) -> SourceFile {
        do {
            let url = Document.root.appending(path: path)
            return SourceFile(path, try String(contentsOf: url, encoding: .utf8))
        } catch {
            preconditionFailure("\(path) is no text: \(error)")
        }
    }

    private static func read(_ folder: String) -> [SourceFile] {
        let root = Document.root.appending(path: folder)
        let names = FileManager.default.enumerator(atPath: root.path)?.compactMap { $0 as? String }
        // Of an example that was built, its dependencies lie beside it.
        let visible = (names ?? []).filter { !"/\($0)".contains("/.") }
        return visible.sorted().filter(isWritten).map { file("\(folder)/\($0)") }
    }

    /// Scripts have no extension.
    private static func isWritten(_ path: String) -> Bool {
        let url = Document.root.appending(path: "deploy/\(path)")
        var isFolder: ObjCBool = false
        switch (path as NSString).pathExtension {
        case "swift", "h", "c", "js", "css", "html", "sql", "yaml", "yml": return true
        case "":
            let isThere = FileManager.default.fileExists(
                atPath: url.path,
                isDirectory: &isFolder
            )
            return isThere && !isFolder.boolValue
        case _: return false
        }
    }
}
