import ArgumentParser
import Daemon
import Doctor
import Foundation
import JSON
import SafeText
import Settings

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract:
            "Check everything a worker depends on: one line for each finding, and what to do.",
        discussion: """
            Takes a worker's settings, and changes nothing. An error means that messages are not \
            scored or get lost; a warning, that it works and will hurt; a note explains, or says \
            what cannot be known. Exits with 1 when there is an error, with 78 when the settings \
            are not usable.
            """
    )

    @Flag(help: "Print every finding as JSON, also of what is fine.")
    var json = false

    @Flag(help: "Also say what is fine.")
    var all = false

    func run() async throws {
        let variables = Variables.load()
        let settings: WorkerSettings
        do {
            settings = try WorkerSettings(SettingValues(variables))
        } catch {
            try show(Doctor.refuse(error))
            throw ExitStatus.configuration
        }
        let diagnosis = await Doctor(options: settings.doctor, variables: variables).examine()
        try show(diagnosis)
        if diagnosis.hasErrors { throw ExitCode(1) }
    }

    private func show(_ diagnosis: Diagnosis) throws {
        if json {
            return print(try JSONEncoder.report.text(diagnosis))
        }
        for entry in diagnosis.findings where all || entry.finding.level != .ok {
            let level = entry.finding.level.rawValue.padding(
                toLength: 7,
                withPad: " ",
                startingAt: 0
            )
            print(
                "\(level)  \(entry.check): \(entry.finding.text.printable) "
                    + "[\(entry.finding.source.rawValue)]"
            )
        }
        let counts = Finding.Level.allCases.reversed().map { level in
            "\(level.rawValue): \(diagnosis.count(level))"
        }
        print(counts.joined(separator: ", "))
    }
}
