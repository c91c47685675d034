import Foundation

/// How the queue is watched, and from when on somebody is to be told.
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
        guard let url = values.text("RABBITMQ_MANAGEMENT_URL") else { return }
        do throws(AddressText.Mistake) {
            management = try ManagementEndpoint(AddressText(url))
        } catch {
            mistakes.append(
                """
                RABBITMQ_MANAGEMENT_URL: its value is not accepted (\(error.reason)); use \
                http://user:password@host:15672 (or https), with \(AddressText.encodingHint)
                """
            )
            return nil
        }
    }
}
