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

    @Flag(help: "As the README's table.")
    var markdown = false

    @Flag(help: "The README's table of metrics instead.")
    var metrics = false

    func run() {
        if metrics { return print(Metric.markdown) }
        if env { return print(SettingsText.environmentExample, terminator: "") }
        print(markdown ? SettingsText.markdown : SettingsText.help)
    }
}
