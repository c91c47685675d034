import Foundation
import SafeText

/// A queue and what belongs to it. nil is what could not be found out.
package struct QueueStats: Codable, Sendable, Equatable {
    /// Where a figure comes from that AMQP does not tell.
    package enum Source: String, Codable, Sendable {
        /// The broker's management plugin: of all consumers.
        case management
        /// The registry: of Amity's workers.
        case workers
    }

    /// Messages that wait in a delay queue.
    package struct Retrying: Codable, Sendable, Equatable {
        package var delaySeconds: Int
        package var messages: Int
    }

    package struct Alert: Codable, Sendable, Equatable {
        package var name: AlertName
        package var since: Date
        package var value: Double?
        /// nil for those that have none.
        package var threshold: Double?
    }

    package var queue: String
    package var observedAt: Date
    /// Messages that wait.
    package var ready: Int?
    /// Messages that consumers have in hand.
    package var unacked: Int?
    package var unackedSource: Source?
    package var consumers: Int?
    /// Of those, Amity's workers, as the registry has them.
    package var workersConsuming: Int?
    /// Names of the others; nil where there are none, or the management plugin is not asked.
    package var foreignConsumers: [String]?
    /// How long ago the oldest conversation that is still PENDING was made; 0 where none is.
    package var oldestAgeSeconds: Double?
    /// Messages a second, over the last minute; retries that come back are arrivals.
    package var arrivalPerSecond: Double?
    package var drainPerSecond: Double?
    /// Of those the ones that are done: neither dead-lettered nor to be tried again.
    package var donePerSecond: Double?
    /// At the pace of the last minute; nil also where the queue does not shrink.
    package var secondsToEmpty: Double?
    package var retrying: [Retrying]
    package var deadLetters: Int?
    package var alerts: [Alert]
}

package enum AlertName: String, Codable, CodingKeyRepresentable, Sendable, CaseIterable {
    case queueDepth = "queue_depth"
    case oldestAge = "oldest_age"
    case deadLetters = "dead_letters"
    case noConsumers = "no_consumers"
    /// Messages are ready, consumers are there, and nothing is settled.
    case stalled
    /// The queue has more consumers than there are workers that consume.
    case foreignConsumers = "foreign_consumers"
    /// The broker takes no messages, for want of memory or disk.
    case brokerAlarm = "broker_alarm"
}

/// What happened over the last hour, of all workers of a queue, in even steps.
package struct History: Encodable, Sendable, Equatable {
    package struct Point: Encodable, Sendable, Equatable {
        /// When its step began.
        package var at: Date
        /// Messages in this step; nil where no worker reported.
        package var done: Int?
        package var retried: Int?
        package var dead: Int?
        /// From arrival to ack: the mean of the workers' medians, weighed by their messages.
        package var ackSecondsP50: Double?
        /// The worst of the workers'.
        package var ackSecondsP99: Double?
        /// At the end of the step; nil where no worker observed the queue.
        package var ready: Int?
        package var oldestAgeSeconds: Double?
        package var retrying: Int?
        package var deadLetters: Int?
    }

    package var queue: String
    package var stepSeconds: Int
    package var points: [Point]

    package init(queue: String, stepSeconds: Int, points: [Point]) {
        self.queue = queue
        self.stepSeconds = stepSeconds
        self.points = points
    }
}
