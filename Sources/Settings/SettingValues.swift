import Foundation

/// All mistakes in the settings, found in one go. Names settings and ranges, never secret values.
package struct SettingsError: Error, Equatable, CustomStringConvertible {
    package let mistakes: [String]

    package var description: String {
        (["the settings are not usable:"] + mistakes.map { "  \($0)" }).joined(separator: "\n")
    }
}

/// The process' environment, and `.env` in the working directory where there is one; the
/// environment wins.
package struct Variables: Sendable {
    private let environment: [String: String]
    private let file: DotEnv

    package static func load() -> Variables {
        Variables(environment: ProcessInfo.processInfo.environment, file: .load())
    }

    package func text(_ name: String) -> String? { environment[name] ?? file.variables[name] }

    var mistakes: [String] { file.mistakes }

    /// Of names that resemble a setting's and are none.
    package var unknownNames: [UnknownName] {
        UnknownName.among(Set(environment.keys).union(file.variables.keys))
    }
}

/// The settings as text, checked against the table row by row. The environment wins over `.env`.
package struct SettingValues: Sendable {
    private var texts: [String: String] = [:]
    package private(set) var mistakes: [String] = []
    /// Of secrets that came from a file that can be read again, by the setting's name.
    private var files: [String: SecretFile] = [:]
    /// `<NAME>_FILE` of every secret that came from a file.
    private var twins: [String: String] = [:]

    package static func load() -> SettingValues { SettingValues(Variables.load()) }

    package init(_ variables: Variables) {
        self.init(lookup: variables.text)
        mistakes = variables.mistakes + mistakes
    }

    /// - Parameter lookup: the text of a variable, nil when it is not set.
    package init(lookup: (String) -> String?) {
        for setting in Setting.all {
            var text = lookup(setting.name)
            let twin = "\(setting.name)_FILE"
            if setting.isSecret, let path = lookup(twin)?.trimmed, !path.isEmpty {
                if let text, !text.isEmpty {
                    mistakes.append("\(setting.name) and \(twin) are both set: keep one")
                }
                let file = SecretFile(setting: twin, path: path)
                do throws(SecretFile.Unreadable) {
                    let content = try file.read()
                    text = content.text
                    twins[setting.name] = twin
                    files[setting.name] = content.isLasting ? file : nil
                } catch { mistakes.append("\(error)") }
            }
            take(text, for: setting)
        }
    }

    private mutating func take(_ text: String?, for setting: Setting) {
        // A line break at the end comes from an editor, `echo` or a mounted file, and belongs to
        // nothing.
        let text = setting.isSecret ? text?.trimmingCharacters(in: .newlines) : text?.trimmed
        // Compose passes variables that are not set as empty: empty means not set.
        guard let text, !text.isEmpty else {
            texts[setting.name] = nil
            return
        }
        if let complaint = setting.complaint(about: text) {
            mistakes.append(complaint)
        } else {
            texts[setting.name] = text
        }
    }

    // MARK: Rotation

    /// Whether one of these secrets is in a file that can be read again.
    func isRenewable(_ names: [String]) -> Bool { names.contains { files[$0] != nil } }

    /// These values with secrets as their files have them now.
    ///
    /// - Throws: what is wrong with a file. An empty one is being written.
    func renewed(_ names: [String]) throws(SecretFile.Unreadable) -> SettingValues {
        var renewed = self
        for setting in Setting.all where names.contains(setting.name) {
            guard let file = files[setting.name] else { continue }
            let text = try file.read().text
            if text.isEmpty, texts[setting.name] != nil {
                throw .init(description: "\(file.setting): the file it names is empty")
            }
            renewed.take(text, for: setting)
            if let mistake = renewed.mistakes.last { throw .init(description: mistake) }
        }
        return renewed
    }

    /// The name under which a secret was given, for error texts; nil where it was not.
    func origin(of name: String) -> String? {
        texts[name] == nil ? nil : twins[name] ?? name
    }

    // MARK: Values

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
        if case .text = kind, text.allSatisfy({ ",;".contains($0) || $0.isWhitespace }) {
            return "\(name): '\(text)' names nothing; leave it out, or give it a value"
        }
        let accepted: Bool
        switch kind {
        case .secret where name.hasSuffix("_URL"): accepted = !text.contains("\0")
        // Of several lines only the first would count for one program, and all for another.
        case .text, .secret: accepted = !text.unicodeScalars.contains { $0.value < 0x20 }
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
        // An address that was meant for another setting may hold a password.
        let shown = isSecret || text.holdsAddress ? "its value" : "'\(text)'"
        // As Kubernetes sets NAME_PORT for a service called NAME.
        let isServiceLink = name.hasSuffix("_PORT") && text.hasPrefix("tcp://")
        if isServiceLink {
            return
                "\(name): its value is not accepted; use \(wanted). Kubernetes sets it to tcp://… "
                + "for a service of that name: set enableServiceLinks: false for the pod"
        }
        let instead = wanted == "text" ? "one line of text without control characters" : wanted
        return "\(name): \(shown) is not accepted; use \(instead)"
    }
}

extension StringProtocol {
    var trimmed: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}
