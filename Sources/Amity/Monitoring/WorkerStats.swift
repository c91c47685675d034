import Foundation

/// One worker, as it last told of itself.
package struct WorkerStats: Codable, Sendable, Equatable {
    package enum State: String, Codable, Sendable {
        case ready
        /// `reasons` says why.
        case notReady = "not-ready"
        case draining
        /// It ended in peace.
        case stopped
        /// It has said nothing for `WorkerRegistry.silence`.
        case lost

        /// Whether it is believed to run.
        package var isLiving: Bool {
            switch self {
            case .ready, .notReady, .draining: true
            case .stopped, .lost: false
            }
        }
    }

    /// What of its settings explains its figures. No secret is among them.
    package struct Settings: Codable, Sendable, Equatable {
        /// N, or the most it may be.
        package var threads: Int
        package var isConcurrencyAutomatic: Bool
        package var batchMax: Int
        package var prefetch: Int
        package var sessionsMax: Int
        package var maxAttempts: Int
        package var taskTimeoutSeconds: Double
    }

    /// A message that failed: ids and codes, no text.
    package struct Failure: Codable, Sendable, Equatable {
        package var at: Date
        package var code: String
        /// nil when the message names none.
        package var conversation: String?
        package var attempts: Int
        package var isDead: Bool
    }

    /// Names the process among all that ever were; `process` in `amity_in_hand`.
    package var bootID: String
    package var host: String
    package var processID: Int
    package var version: String
    package var queue: String
    package var settings: Settings
    package var startedAt: Date
    package var heartbeatAt: Date
    package var heartbeatAgeSeconds: Double
    package var state: State
    package var reasons: [String]
    /// Messages since the start, `duplicates` included.
    package var done: Int
    package var duplicates: Int
    package var retried: Int
    package var dead: Int
    package var interrupted: Int
    package var reconnects: Int
    package var busyThreads: Int
    /// Deliveries that are unsettled.
    package var inFlight: Int
    package var residentBytes: Int
    package var lastDeliveryAt: Date?
    /// The latest ones, the newest first.
    package var failures: [Failure]

    /// Host and process, as logs and dead letters name it.
    package var name: String { "\(host):\(processID)" }
}

extension WorkerStats.Settings {
    init(_ settings: WorkerSettings, batchLimit: Int) {
        threads = settings.concurrency
        isConcurrencyAutomatic = settings.isConcurrencyAutomatic
        batchMax = batchLimit
        prefetch = Int(settings.prefetch(batchLimit: batchLimit))
        sessionsMax = settings.databaseSessionsMax
        maxAttempts = settings.maxAttempts
        taskTimeoutSeconds = settings.taskTimeout / .seconds(1)
    }
}
