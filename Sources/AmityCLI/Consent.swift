import ArgumentParser
import Foundation
import Settings

/// Asks before something made up is written to servers that others may use.
///
/// - Parameters:
///   - action: what is about to happen, e.g. `makes up 100 conversations`.
///   - isGiven: by `--yes`.
/// - Throws: an exit code unless it may go on.
func askForConsent(_ action: String, on servers: ServerNames, isGiven: Bool) throws {
    if servers.areLocal { return }
    complain("this \(action) on servers that are not this machine's:")
    for line in servers.lines { complain("  \(line)") }
    try requireYes(isGiven: isGiven, else: "add --yes if these are the servers that you mean")
}

/// - Parameters:
///   - isGiven: by `--yes`.
///   - hint: what is said where there is no terminal to ask on.
/// - Throws: an exit code unless it may go on.
func requireYes(isGiven: Bool, else hint: String) throws {
    if isGiven { return }
    guard isatty(STDIN_FILENO) == 1 else {
        complain("nothing was done: \(hint)")
        throw ExitCode(64)
    }
    writeToStandardError("Type yes to go on: ")
    if readLine() != "yes" {
        complain("nothing was done")
        throw ExitCode.failure
    }
}

/// The same for the servers that `amity bench` and `amity tune` are given in the environment;
/// without any they start private ones.
func askForConsentToMeasure(isGiven: Bool) throws {
    let environment = ProcessInfo.processInfo.environment
    let given = environment.filter { ["RABBITMQ_URL", "DATABASE_URL"].contains($0.key) }
        .filter { !$0.value.isEmpty }
    // What is wrong with one alone is said later.
    guard given.count == 2 else { return }
    let servers = ServerNames(
        of: try usable { () throws(SettingsError) in
            try WorkerSettings(SettingValues { given[$0] })
        },
        environment: { environment[$0] }
    )
    try askForConsent(
        "fills a schema and a queue of its own, and measures at full speed,",
        on: servers,
        isGiven: isGiven
    )
}
