@testable import Settings

/// The settings that these variables make, and no others.
func settings(_ variables: [String: String]) throws -> WorkerSettings {
    try WorkerSettings(SettingValues { variables[$0] })
}

/// What is wrong with them, as a start would say it; empty where they are accepted.
func mistakes(_ variables: [String: String]) -> [String] {
    do {
        _ = try settings(variables)
        return []
    } catch {
        return (error as? SettingsError)?.mistakes ?? ["\(error)"]
    }
}
