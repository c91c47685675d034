import Foundation

/// A `.env` file, as python-dotenv and docker compose read the common part of it: `NAME=value`
/// lines, an optional `export`, single or double quotes, comments on lines of their own or after a
/// blank.
struct DotEnv: Sendable {
    private(set) var variables: [String: String] = [:]
    private(set) var mistakes: [String] = []

    /// The file in the working directory; empty when there is none.
    static func load(path: String = ".env") -> DotEnv {
        guard FileManager.default.fileExists(atPath: path) else { return DotEnv(text: "") }
        do {
            return DotEnv(text: try String(contentsOfFile: path, encoding: .utf8))
        } catch {
            var unreadable = DotEnv(text: "")
            let reason =
                access(path, R_OK) == 0 ? "it is not UTF-8 text" : String(cString: strerror(errno))
            unreadable.mistakes = [".env: cannot be read: \(reason)"]
            return unreadable
        }
    }

    init(text: String) {
        for (index, line) in text.split(
            omittingEmptySubsequences: false,
            whereSeparator: \.isNewline
        ).enumerated() {
            let line = line.trimmingCharacters(in: .whitespaces)
            if line.isEmpty || line.hasPrefix("#") { continue }
            guard let (name, value) = Self.assignment(line) else {
                // Not the line itself: it may hold a secret.
                mistakes.append(".env: line \(index + 1) is not NAME=value")
                continue
            }
            variables[name] = value
        }
    }

    private static func assignment(_ line: String) -> (String, String)? {
        guard let equals = line.firstIndex(of: "=") else { return nil }
        var name = line[..<equals].trimmingCharacters(in: .whitespaces)
        if name.hasPrefix("export ") {
            name = name.dropFirst("export ".count).trimmingCharacters(in: .whitespaces)
        }
        guard !name.isEmpty, name.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "_" }),
            let value = value(
                line[line.index(after: equals)...].trimmingCharacters(in: .whitespaces)
            )
        else { return nil }
        return (name, value)
    }

    /// nil for a quote that does not end, or that is followed by more than a comment.
    private static func value(_ text: String) -> String? {
        guard let quote = text.first, quote == "\"" || quote == "'" else {
            // A # after a blank begins a comment; elsewhere it belongs to the value.
            let end = text.firstRange(of: /(^|\s)#/)?.lowerBound ?? text.endIndex
            return text[..<end].trimmingCharacters(in: .whitespaces)
        }
        guard let end = text.dropFirst().firstIndex(of: quote) else { return nil }
        let rest = text[text.index(after: end)...].trimmingCharacters(in: .whitespaces)
        guard rest.isEmpty || rest.hasPrefix("#") else { return nil }
        return String(text[text.index(after: text.startIndex)..<end])
    }
}
