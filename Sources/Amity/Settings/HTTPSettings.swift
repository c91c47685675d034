/// Where a worker answers HTTP.
package struct HTTPSettings: Sendable, Equatable {
    package var host: String
    /// 0 for none.
    package var port: Int

    package init(_ values: SettingValues) {
        host = values.text("HTTP_HOST") ?? ""
        port = values.integer("HTTP_PORT")
    }
}
