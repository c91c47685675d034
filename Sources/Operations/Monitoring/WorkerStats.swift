import Foundation
import HostResources

/// One worker, as it last told of itself.
package struct WorkerStats: Encodable, Sendable, Equatable {
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

        package init(
            threads: Int,
            isConcurrencyAutomatic: Bool,
            batchMax: Int,
            prefetch: Int,
            sessionsMax: Int,
            maxAttempts: Int,
            taskTimeoutSeconds: Double
        ) {
            self.threads = threads
            self.isConcurrencyAutomatic = isConcurrencyAutomatic
            self.batchMax = batchMax
            self.prefetch = prefetch
            self.sessionsMax = sessionsMax
            self.maxAttempts = maxAttempts
            self.taskTimeoutSeconds = taskTimeoutSeconds
        }
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

    /// What a part of one of its links suffers from, as `LinkHealth` has it. Texts, because a later
    /// version may know other links and kinds.
    package struct Problem: Codable, Sendable, Equatable {
        package var link: String
        /// A queue, table or service; nil for the link as a whole.
        package var subject: String?
        package var kind: String
        package var code: String
        package var text: String
        package var remedy: String?
        package var since: Date
        /// Failures since then.
        package var count: Int

        /// What suffers, how, and a code to look up.
        package var name: String {
            "\(link)\(subject.map { " \($0)" } ?? "") \(kind) (\(code))"
        }

        /// What it is, and what to do about it.
        package var advice: String { text + (remedy.map { "; \($0)" } ?? "") }
    }

    /// Why it takes no messages, though nothing is broken.
    package struct Pause: Codable, Sendable, Equatable {
        /// `SIGUSR1` or `HTTP` for an operator, or `database`.
        package var by: String
        package var since: Date
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
    /// nil for a worker of an earlier version.
    package var resources: ResourceUse?
    package var lastDeliveryAt: Date?
    /// The latest ones, the newest first.
    package var failures: [Failure]
    /// In the order of the links.
    package var problems: [Problem]
    package var paused: Pause?

    /// How an operator's pause ends; nil where no operator has paused it.
    package var wayBack: String? {
        guard let by = paused?.by, by == Pause.operatorsSignal || by == Pause.operatorsRequest
        else { return nil }
        return "kill -USR2 \(processID) on \(host) resumes it"
    }

    /// Host and process, as logs and dead letters name it.
    package var name: String { "\(host):\(processID)" }
}

extension WorkerStats.Pause {
    /// The signal by which an operator switches consumption off.
    static let operatorsSignal = "SIGUSR1"
    /// What stands for an operator who switches consumption off over HTTP.
    static let operatorsRequest = "HTTP"
}
