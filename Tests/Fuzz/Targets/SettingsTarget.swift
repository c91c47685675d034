import Foundation

@testable import Settings

/// A `.env` file of any content gives settings or mistakes.
func fuzzSettings(_ bytes: UnsafeRawBufferPointer) {
    let file = DotEnv(text: String(decoding: bytes, as: UTF8.self))
    // No `_FILE` variants: the fuzzed text could name any file of this machine.
    let values = SettingValues { $0.hasSuffix("_FILE") ? nil : file.variables[$0] }
    do {
        _ = try WorkerSettings(values)
    } catch {
        expect(!error.mistakes.isEmpty, "settings are refused without a mistake")
        let shown = Setting.all.filter { !$0.isSecret }.compactMap { file.variables[$0.name] }
        expect(
            !error.description.contains("hunter2") || shown.contains { $0.contains("hunter2") },
            "a secret is in the mistakes"
        )
    }
}
