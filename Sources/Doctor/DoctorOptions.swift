import AMQP
import Postgres
import Settings

/// What of the settings the checks compare with what they see.
package struct DoctorOptions: Sendable {
    package var endpoint: Endpoint
    package var topology: Topology
    package var database: ConnectionTarget
    package var sessionsMax: Int
    package var threads: Int
    package var prefetch: Int
    package var messageMaxBytes: Int
    package var taskTimeout: Duration
    /// As the broker's is said to be.
    package var consumerTimeout: Duration
    /// Dead letters that are an alert; 0 for never.
    package var alertDeadLetters: Int
    /// nil where there is none.
    package var management: ManagementEndpoint?
    /// nil where no service is asked.
    package var services: AnalysisSettings.Services?
    /// Of the pools of tasks that it names.
    package var taskQueues: [String]
    package var takesTasks: Bool { !taskQueues.isEmpty }
    /// Whether `EVENTS` names tasks.
    package var writesTaskEvents: Bool

    package init(
        endpoint: Endpoint,
        topology: Topology,
        database: ConnectionTarget,
        sessionsMax: Int,
        threads: Int,
        prefetch: Int,
        messageMaxBytes: Int,
        taskTimeout: Duration,
        consumerTimeout: Duration,
        alertDeadLetters: Int,
        management: ManagementEndpoint?,
        services: AnalysisSettings.Services?,
        taskQueues: [String],
        writesTaskEvents: Bool
    ) {
        self.endpoint = endpoint
        self.topology = topology
        self.database = database
        self.sessionsMax = sessionsMax
        self.threads = threads
        self.prefetch = prefetch
        self.messageMaxBytes = messageMaxBytes
        self.taskTimeout = taskTimeout
        self.consumerTimeout = consumerTimeout
        self.alertDeadLetters = alertDeadLetters
        self.management = management
        self.services = services
        self.taskQueues = taskQueues
        self.writesTaskEvents = writesTaskEvents
    }
}
