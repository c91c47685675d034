import Foundation

/// How the queue is watched, and the limits from which on an operator is alerted.
package struct MonitoringSettings: Sendable {
    package var interval: Duration
    /// Messages; 0 for never.
    package var alertQueueDepth: Int
    /// Seconds; 0 for never.
    package var alertOldestAge: Int
    /// Messages; 0 for never.
    package var alertDeadLetters: Int
    /// nil where there is none.
    package var management: ManagementEndpoint?

    /// - Parameter mistakes: where it says what it cannot accept; it is nil then.
    init?(_ values: SettingValues, _ mistakes: inout [String]) {
        interval = .seconds(values.integer("MONITOR_INTERVAL_SECONDS"))
        alertQueueDepth = values.integer("ALERT_QUEUE_DEPTH")
        alertOldestAge = values.integer("ALERT_OLDEST_AGE_SECONDS")
        alertDeadLetters = values.integer("ALERT_DEAD_LETTERS")
        do throws(SettingsError) {
            guard var endpoint = try Self.management(values) else { return }
            if values.isRenewable([Self.url]) {
                endpoint.renew = { [endpoint] in
                    try Self.management(try values.renewed([Self.url])) ?? endpoint
                }
            }
            management = endpoint
        } catch {
            mistakes += error.mistakes
            return nil
        }
    }

    private static let url = "RABBITMQ_MANAGEMENT_URL"

    private static func management(
        _ values: SettingValues
    ) throws(SettingsError) -> ManagementEndpoint? {
        guard let text = values.text(url) else { return nil }
        do throws(AddressText.Mistake) {
            return try ManagementEndpoint(AddressText(text))
        } catch {
            let mistake = """
                \(url): its value is not accepted (\(error.reason)); use \
                http://user:password@host:15672 (or https), with \(AddressText.encodingHint)
                """
            throw SettingsError(mistakes: [mistake])
        }
    }
}
