import Foundation

/// All mistakes in the settings, found in one go. Names settings and ranges, never secret values.
package struct SettingsError: Error, Equatable, CustomStringConvertible {
    package let mistakes: [String]

    package var description: String {
        (["the settings are not usable:"] + mistakes.map { "  \($0)" }).joined(separator: "\n")
    }
}

/// The process' environment, and `.env` in the working directory where there is one; the environment wins.
package struct Variables: Sendable {
    private let environment: [String: String]
    private let file: DotEnv

    package static func load() -> Variables {
        Variables(environment: ProcessInfo.processInfo.environment, file: .load())
    }

    package func text(_ name: String) -> String? { environment[name] ?? file.variables[name] }

    var mistakes: [String] { file.mistakes }
}

/// The settings as text, checked against the table row by row. The environment wins over `.env`.
package struct SettingValues {
    private let texts: [String: String]
    private(set) var mistakes: [String] = []

    package static func load() -> SettingValues { SettingValues(Variables.load()) }

    package init(_ variables: Variables) {
        self.init(lookup: variables.text)
        mistakes = variables.mistakes + mistakes
    }

    /// - Parameter lookup: the text of a variable, nil when it is not set.
    package init(lookup: (String) -> String?) {
        var texts: [String: String] = [:]
        var mistakes: [String] = []
        for setting in Setting.all {
            var text = lookup(setting.name)
            let twin = "\(setting.name)_FILE"
            if setting.isSecret, let path = lookup(twin), !path.isEmpty {
                if let text, !text.isEmpty {
                    mistakes.append("\(setting.name) and \(twin) are both set: keep one")
                }
                do {
                    text = try String(contentsOfFile: path, encoding: .utf8)
                        .trimmingCharacters(in: .newlines)
                } catch {
                    mistakes.append("\(twin): cannot read the file it names as UTF-8 text")
                }
            }
            // Compose passes variables that are not set as empty: empty means not set.
            guard let text, !text.isEmpty else { continue }
            if let complaint = setting.complaint(about: text) {
                mistakes.append(complaint)
            } else {
                texts[setting.name] = text
            }
        }
        self.texts = texts
        self.mistakes = mistakes
    }

    /// The value of a setting as given, or its default.
    package func text(_ name: String) -> String? {
        texts[name] ?? Self.table[name]?.defaultValue
    }

    /// - Parameter fallback: for a setting whose default follows from others.
    func integer(_ name: String, default fallback: Int = 0) -> Int {
        text(name).flatMap { Int($0) } ?? fallback
    }

    /// nil for `auto`, and where there is neither a value nor a default.
    func optionalInteger(_ name: String) -> Int? { text(name).flatMap { Int($0) } }

    func integers(_ name: String) -> [Int] {
        (text(name) ?? "").split(separator: ",").compactMap { Int($0.trimmed) }
    }

    func number(_ name: String) -> Double {
        text(name).flatMap { Double($0) } ?? 0
    }

    private static let table = Dictionary(uniqueKeysWithValues: Setting.all.map { ($0.name, $0) })
}

extension Setting {
    /// What is wrong with a value, nil when it is accepted.
    fileprivate func complaint(about text: String) -> String? {
        let accepted: Bool
        switch kind {
        case .text, .secret: accepted = !text.contains("\0")
        case .integer(let range): accepted = Int(text).map(range.contains) ?? false
        case .integerOrAuto(let range):
            accepted = text.lowercased() == "auto" || Int(text).map(range.contains) ?? false
        case .number(let range): accepted = Double(text).map(range.contains) ?? false
        case .integers(let range):
            let parts = text.split(separator: ",", omittingEmptySubsequences: false)
            accepted = parts.allSatisfy { Int($0.trimmed).map(range.contains) ?? false }
        case .choice(let names): accepted = names.contains(text.lowercased())
        }
        if accepted { return nil }
        let wanted = [range, unit].filter { !$0.isEmpty }.joined(separator: " ")
        return "\(name): \(isSecret ? "its value" : "'\(text)'") is not accepted; use \(wanted)"
    }
}

extension StringProtocol {
    fileprivate var trimmed: String { trimmingCharacters(in: .whitespaces) }
}
