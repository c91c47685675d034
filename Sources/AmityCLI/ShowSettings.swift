import ArgumentParser
import Metering
import Settings

struct ShowSettings: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "settings",
        abstract: "Print every setting with its range, default and meaning."
    )

    @Flag(help: "As the content of .env.example.")
    var env = false

    @Flag(help: "As the article Settings.md.")
    var markdown = false

    @Flag(help: "The article Metrics.md instead.")
    var metrics = false

    func run() {
        if metrics { return print(Metric.article, terminator: "") }
        if env { return print(SettingsText.environmentExample, terminator: "") }
        if markdown { return print(SettingsText.article, terminator: "") }
        print(SettingsText.help)
    }
}
