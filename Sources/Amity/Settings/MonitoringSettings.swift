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
        management = ManagementEndpoint(url: url)
        if management == nil {
            mistakes.append(
                """
                RABBITMQ_MANAGEMENT_URL: its value is not accepted; use \
                http://user:password@host:15672 (or https), with special characters \
                percent-encoded
                """
            )
            return nil
        }
    }
}

/// Where the broker's management plugin is, and who we are there. Holds the password: never log.
package struct ManagementEndpoint: Sendable, Equatable {
    /// Without user and password, and without a slash at its end.
    package let url: String
    package let username: String
    package let password: String

    init?(url: String) {
        guard var parts = URLComponents(string: url), let host = parts.host, !host.isEmpty,
            ["http", "https"].contains(parts.scheme), parts.query == nil, parts.fragment == nil
        else { return nil }
        username = parts.user ?? "guest"
        password = parts.password ?? "guest"
        (parts.user, parts.password) = (nil, nil)
        while parts.percentEncodedPath.hasSuffix("/") { parts.percentEncodedPath.removeLast() }
        guard let plain = parts.string else { return nil }
        self.url = plain
    }
}
