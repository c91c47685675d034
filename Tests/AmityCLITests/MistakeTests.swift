import ArgumentParser
import Testing

@testable import AmityCLI
@testable import Settings

/// Command lines, settings and servers that do not do.
struct MistakeTests {
    private static let taskID = "01890a5d-ac96-774b-bcce-b302099a8057"

    /// Fault: the message says that something is wrong, and not which option takes what; or a
    /// script cannot tell it from a broker that is away, which has status 69.
    @Test(arguments: [
        (["publish"], "name conversation ids, --file, - or --generate"),
        (["publish", "--generate", "0"], "--generate takes 1 or more"),
        (["publish", "c", "--users", "0"], "--users takes 1 or more"),
        (["publish", "c", "--copies", "0"], "--copies takes 1 or more"),
        (["publish", "c", "--timeout", "0"], "--timeout takes 1 second or more"),
        (["health", "--timeout", "61"], "--timeout takes 1 to 60"),
        (["status", "--watch", "0"], "--watch takes 1 to 3600 seconds"),
        (["dead-letters", "retry", "--rate", "0"], "--rate takes more than 0"),
        (["bench", "--repeat", "0"], "--repeat takes 1 or more"),
        (["bench", "--analyser-seconds", "21"], "--analyser-seconds takes 0.001 to 20"),
        (["bench", "--calm-rate", "9"], "--calm-rate takes 10 to 10000"),
        (["bench", "--tasks", "--calm-rate", "50"], "--tasks takes"),
        (["bench", "--tasks", "--users", "5"], "--tasks takes"),
        (["bench", "--tasks", "--workload", "service"], "--tasks takes"),
        (["tune", "--seconds", "0"], "--seconds takes 1 to 3600"),
        (["tokens", "create", "one"], "--scope"),
        (["tokens", "create", "one", "--scope", "all"], "conversations:write"),
        (["tokens", "create", "one", "--scope", "ops", "--kb", ""], "--kb takes 1 to 255"),
        (["tokens", "revoke", "one"], "'one' is invalid for '<id>'"),
        (["tasks", "list", "--limit", "0"], "--limit takes 1 to 10000"),
        (["tasks", "list", "--state", "done"], "processing"),
        (["tasks", "show", "one"], "'one' is invalid for '<id>'"),
        (["limits", "pause"], "name a type or a key, or give --pool"),
        (["limits", "resume", "a", "--pool", "b"], "name a type or a key, or give --pool"),
        (["limits", "pause", "--pool", "B"], "a pool is 1 to 40"),
        (["batches", "list", "--limit", "0"], "--limit takes 1 to 1000"),
        (["batches", "show", "one"], "'one' is invalid for '<id>'"),
        (["tasks", "cancel"], "by their ids, or by --state"),
        (["tasks", "retry", taskID, "--type", "test"], "by their ids, or by --state"),
        (["tasks", "cancel", taskID, "--dry-run"], "--dry-run takes no ids"),
        (["tasks", "submit", "test", "--kb", ""], "--kb takes 1 to 255"),
        (["tasks", "submit", "test", "--priority", "1"], "critical"),
        (["publish", "c", "--copy", "2"], "Unknown option '--copy'"),
    ])
    func aMessageNamesTheOptionAndWhatItTakes(arguments: [String], expected: String) {
        let (text, status) = message(arguments)
        #expect(text.contains(expected), "\(text)")
        #expect(status == 64)
    }

    /// Fault: a service manager starts a worker again and again whose settings will never do.
    @Test func settingsThatAreNotUsableHaveAStatusOfTheirOwn() {
        #expect(throws: ExitCode(78)) {
            try usable { () throws(SettingsError) in throw SettingsError(mistakes: ["a mistake"]) }
        }
    }

    @Test func whatNeedsAServerThatIsAwayEndsWithUnavailable() async {
        struct Away: Error {}
        await #expect(throws: ExitCode(69)) { try await reportingFailure { throw Away() } }
        await #expect(throws: ExitCode(1)) { try await reportingFailure { throw ExitCode(1) } }
    }
}
