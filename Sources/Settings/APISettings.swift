/// What the API is told: all that a worker is told, and where it listens.
package struct APISettings: Sendable {
    package var worker: WorkerSettings
    package let http: HTTPSettings
    /// The workers' `HTTP_TOKEN`, which reads the API's metrics, too; nil where there is none.
    package let metricsToken: String?

    /// - Throws: `SettingsError` with every mistake, also those that only a worker would make.
    package init(_ values: SettingValues) throws(SettingsError) {
        var mistakes: [String] = []
        let http = HTTPSettings(values, .api, &mistakes)
        do throws(SettingsError) {
            worker = try WorkerSettings(values)
        } catch {
            throw SettingsError(mistakes: error.mistakes + mistakes)
        }
        guard let http, mistakes.isEmpty else { throw SettingsError(mistakes: mistakes) }
        self.http = http
        metricsToken = values.text("HTTP_TOKEN")
    }
}
