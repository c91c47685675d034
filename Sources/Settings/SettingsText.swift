/// The settings table as the texts that must agree with it.
package enum SettingsText {
    /// For `amity worker --help`.
    package static var help: String {
        let rows = Setting.all.map { setting in
            let facts = [setting.range, setting.unit].filter { !$0.isEmpty }.joined(separator: " ")
            let preset = setting.defaultValue.map { ", default \($0)" } ?? ""
            return "  \(setting.name)\n      \(setting.meaning) (\(facts)\(preset))"
        }
        return """
            SETTINGS (environment, or .env in the working directory; the environment wins; \
            a secret NAME can also be read from the file that NAME_FILE names):

            """ + rows.joined(separator: "\n")
    }

    /// The content of `.env.example`.
    package static var environmentExample: String {
        let rows = Setting.all.map { setting in
            let facts = [setting.range, setting.unit].filter { !$0.isEmpty }.joined(separator: " ")
            let twin = setting.isSecret ? "; or \(setting.name)_FILE=path" : ""
            return """
                # \(setting.meaning) (\(facts)\(twin))
                #\(setting.name)=\(setting.defaultValue ?? "")
                """
        }
        return """
            # Amity's settings. Copy to .env and uncomment what you change; the environment wins.
            # Written by `amity settings --env`; a test keeps it in step with the table in
            # Sources/Settings/Setting.swift.

            \(rows.joined(separator: "\n\n"))

            """
    }

    /// The article Settings.md, whole.
    package static var article: String {
        """
        # Settings

        Every setting, with its range, its default and its meaning. Printed by
        `amity settings --markdown` from the table in `Setting.swift`; \
        a test compares this page with
        it. Where settings come from, how URLs are written, \
        how secrets change without a restart, and
        how many threads to take: [Configuration](Configuration.md).

        \(Setting.groups.map(section).joined(separator: "\n\n"))

        """
    }

    private static func section(_ heading: String, _ settings: [Setting]) -> String {
        let rows = settings.map { setting in
            let unit = setting.unit.isEmpty ? "" : " \(setting.unit)"
            let cells = [
                "`\(setting.name)`", setting.range + unit,
                setting.defaultValue.map { "`\($0)`" } ?? "–", setting.meaning,
            ]
            return "| \(cells.joined(separator: " | ")) |"
        }
        return """
            ## \(heading)

            | setting | range | default | meaning |
            |---|---|---|---|
            \(rows.joined(separator: "\n"))
            """
    }
}
